import type { GatewayLink } from "./link.ts";
import type { Queue } from "./queue.ts";
import { qosOf } from "./record.ts";
import type { Group } from "./share/group.ts";

/**
 * Who gets the messages of one topic, as of one version of the subscriptions. It stays with a
 * message from the moment its place in the order is fixed: who subscribes later gets later ones.
 */
export class Match {
  /** Where messages of QoS ≥ 1 are posted: durable filters, and shared groups with a queue. */
  readonly queues: readonly Queue[];
  readonly links: readonly GatewayLink[];
  /** Those of the links whose acknowledgement answers wait for. */
  readonly awaited: readonly GatewayLink[];
  /** Shared groups with a queue, which is in `queues` too. */
  readonly queuedGroups: readonly Group[];
  /** Shared groups without. */
  readonly directGroups: readonly Group[];
  /** Whether there is anybody: else the answer is 0x10. */
  readonly any: boolean;
  readonly hasGroups: boolean;
  /**
   * The last entry of the shard's pipeline with a message of this topic and QoS ≥ 1. While it is not
   * finished, later ones may not overtake it [MQTT-4.6.0-5], though they need no disk.
   */
  lastEntry: number;
  /** The same for QoS 0, which waits only behind what is to be retained. */
  lastAtMostOnce: number;

  constructor(
    queues: readonly Queue[],
    links: readonly GatewayLink[],
    awaited: readonly GatewayLink[],
    queuedGroups: readonly Group[],
    directGroups: readonly Group[],
    lastEntry: number,
    lastAtMostOnce: number,
  ) {
    this.queues = queues;
    this.links = links;
    this.awaited = awaited;
    this.queuedGroups = queuedGroups;
    this.directGroups = directGroups;
    this.hasGroups = queuedGroups.length + directGroups.length > 0;
    this.any = queues.length + links.length > 0 || this.hasGroups;
    this.lastEntry = lastEntry;
    this.lastAtMostOnce = lastAtMostOnce;
  }
}

/** It is posted, or behind a message of its topic that waits for the disk. */
export function mustWait(match: Match, flags: number, finished: number): boolean {
  if (qosOf(flags) === 0) return match.lastAtMostOnce > finished;
  return match.queues.length !== 0 || match.lastEntry > finished;
}
