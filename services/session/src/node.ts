/** A session node: a replica of the control group and of every session group, over one log. */
import type { Clock, Lifecycle, Logger, Random, Timers } from "@canopy/base";
import type { Member } from "@canopy/control";
import {
  createHost,
  type NodeName,
  openStorage,
  type RaftHost,
  type RaftStorage,
  type StorageDurability,
  type Transport,
} from "@canopy/raft";
import type { RouteSink } from "@canopy/session";
import { type ControlService, createControlService } from "./control/service.ts";
import { createSessionService, type SessionService } from "./service.ts";

export interface SessionNodeOptions {
  readonly name: NodeName;
  /** All that create the cluster, this one included; the same on all of them. */
  readonly founders: readonly NodeName[];
  /** Fixed when the cluster is created. */
  readonly shards: number;
  readonly groups: number;
  /** Of the log. */
  readonly directory: string;
  readonly durability: StorageDurability;
  /** See HostOptions. */
  readonly snapshotEvery: number;
  readonly keepTail: number;
  readonly transport: Transport;
  /** ms; an election begins after 10 to 20 of them without a word of the leader. */
  readonly tick: number;
  /** See LeaseOptions; ms. */
  readonly lease: number;
  readonly absence: number;
  /** See PlacingOptions. */
  readonly expectedStores: number;
  /** A store process's port. */
  readonly store: (member: Member) => RouteSink;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** A group has ended here, though nobody stopped it. */
  readonly onEnded: (reason: string) => void;
}

const CONTROL = 0;
const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 1;
const MAX_PROPOSALS = 100_000;
const MAX_PROPOSAL_BYTES = 256 * 1024 * 1024;

/** Its parts are started in this order, and stopped in the opposite one. */
export class SessionNode {
  /** Log and host: from here on others can be answered. */
  readonly raft: Lifecycle;
  /** Started when somebody is known to lead it. */
  readonly control: ControlService;
  /** Every group, by number from 1. */
  readonly groups: readonly SessionService[];
  /** All groups together; they follow the control log. */
  readonly sessions: Lifecycle;
  readonly #host: RaftHost;

  constructor(options: SessionNodeOptions) {
    const { shards, groups, clock, timers, logger, onEnded } = options;
    const storage = openStorage(common(options));
    const host = createHost(hostOptions(options, storage));
    const around = { host, shards, groups, clock, timers, logger, onEnded };
    const bootstrap = foundedBy(options);
    this.#host = host;
    this.raft = inOrder(storage, host);
    const { lease, absence, expectedStores } = options;
    const leading = { lease, absence, expectedStores };
    this.control = createControlService({ ...around, ...leading, group: CONTROL, bootstrap });
    const cluster = this.control.view;
    this.groups = Array.from({ length: groups }, (_, i) => {
      const { store } = options;
      return createSessionService({ ...around, group: i + 1, bootstrap, cluster, store });
    });
    this.sessions = together(this.groups);
  }

  /** A group from 1; undefined where there is none. */
  group(number: number): SessionService | undefined {
    return this.groups[number - 1];
  }

  /** Founders that have not been met yet, and what keeps them from it, one line each. */
  get waitsFor(): readonly string[] {
    const founding = this.#host.founding(CONTROL);
    if (founding === undefined) return [];
    return founding.complaints.length > 0 ? founding.complaints : founding.waitsFor;
  }
}

function common({ directory, durability, timers, random, logger }: SessionNodeOptions) {
  return { directory, durability, timers, random, logger };
}

function hostOptions(options: SessionNodeOptions, storage: RaftStorage) {
  const { name, transport, clock, timers, random, logger } = options;
  const { tick, snapshotEvery, keepTail } = options;
  return {
    node: name,
    storage,
    transport,
    clock,
    timers,
    random,
    logger,
    defer: setImmediate,
    tick,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    maxProposals: MAX_PROPOSALS,
    maxProposalBytes: MAX_PROPOSAL_BYTES,
    snapshotEvery,
    keepTail,
  };
}

/** The same replica in all groups: a node has one of each. */
function foundedBy({ name, founders }: SessionNodeOptions) {
  const voters = new Map(founders.toSorted().map((node, i) => [i + 1, node] as const));
  const [replica] = [...voters].find(([, node]) => node === name) ?? [];
  if (replica === undefined)
    throw new Error(`${name} is not one of the nodes that found the cluster`);
  return { replica, voters };
}

function inOrder(first: Lifecycle, second: Lifecycle): Lifecycle {
  return {
    start: async () => {
      await first.start();
      await second.start();
    },
    stop: async () => {
      await second.stop();
      await first.stop();
    },
  };
}

function together(parts: readonly Lifecycle[]): Lifecycle {
  return {
    start: async () => {
      await Promise.all(parts.map((part) => part.start()));
    },
    stop: async () => {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}
