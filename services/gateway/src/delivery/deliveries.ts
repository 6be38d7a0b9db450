import { LazyMap } from "@canopy/base";
import { REASON } from "@canopy/codec";
import { DELIVERY } from "@canopy/connection";
import {
  type DeliveryChanges,
  type RetainedProgress,
  SessionError,
  type Unfinished,
} from "@canopy/session";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import type { Prepared } from "./outbox.ts";
import type { SubDelivery } from "./sub.ts";

/** How long after a failed commit it is tried again, in ms. */
const RETRY = 250;

interface Changes {
  readonly client: Client;
  readonly completed: number[];
  readonly received: SubDelivery[];
  readonly assigned: Prepared[];
  readonly receipted: Receipted[];
}

/** A message that has a receipt, and how it is answered when its shard is known to have some. */
interface Receipted {
  readonly shard: number;
  readonly answer: () => void;
}

/** What one session group is to commit. */
interface Group {
  changes: Map<Client, Changes>;
  committing: readonly Changes[];
}

/**
 * Deliveries of durable sessions at QoS 2, and of retained values: packet identifiers, PUBREC and PUBCOMP
 * are committed to the session state, all of a group that came in a turn by one command, before what
 * follows from them leaves. So is in which shards they have receipts of what they publish.
 */
export class Deliveries {
  readonly #gateway: Gateway;
  readonly #groups = new Map<number, Group>();
  #settled: (() => void)[] = [];

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  assign(client: Client, prepared: Prepared): void {
    this.#of(client).assigned.push(prepared);
  }

  received(client: Client, delivery: SubDelivery): void {
    this.#of(client).received.push(delivery);
  }

  completed(client: Client, packetId: number): void {
    this.#of(client).completed.push(packetId);
  }

  /** `answer` is called when the session state says that there may be receipts in this shard. */
  receipted(client: Client, shard: number, answer: () => void): void {
    this.#of(client).receipted.push({ shard, answer });
  }

  /** Settles when everything noted for this client has been committed. */
  async idle(client: Client): Promise<void> {
    const group = this.#groupOf(client);
    while (group.changes.has(client) || group.committing.some((c) => c.client === client)) {
      // oxlint-disable-next-line no-loop-func
      await new Promise<void>((resolve) => this.#settled.push(resolve));
    }
  }

  /** At the end of a turn. */
  flush(): void {
    for (const group of this.#groups.values()) this.#flush(group);
  }

  /** One command at a time: what comes meanwhile goes with the next. */
  #flush(group: Group): void {
    if (group.committing.length > 0 || group.changes.size === 0) return;
    const changes = [...group.changes.values()];
    group.changes = new Map();
    group.committing = changes;
    this.#commit(group, changes);
  }

  #commit(group: Group, changes: readonly Changes[]): void {
    this.#gateway.sessions.deliveries(changes.map(toCommand)).then(
      () => {
        group.committing = [];
        for (const change of changes) this.#committed(change);
        for (const resolve of this.#settled.splice(0)) resolve();
        this.#flush(group);
      },
      (error: unknown) => {
        if (error instanceof SessionError && error.code === "closed") {
          group.committing = [];
          for (const change of changes) giveUp(change);
          for (const resolve of this.#settled.splice(0)) resolve();
          this.#flush(group);
          return;
        }
        this.#gateway.logger.warn({ error }, "committing deliveries failed; trying again");
        this.#gateway.later(RETRY, () => this.#commit(group, changes));
      },
    );
  }

  #committed({ client, received, assigned, receipted }: Changes): void {
    const known = client.committedReceiptShards ?? [];
    const shards = new Set([...known, ...receipted.map(({ shard }) => shard)]);
    if (shards.size > known.length) client.committedReceiptShards = [...shards];
    for (const { answer } of receipted) answer();
    // also where they can't be sent any more: they come behind all that was sent [MQTT-4.6.0-1]
    for (const { delivery } of assigned) client.connection.window.sentLate(delivery);
    for (const { stream, delivery, topic } of assigned) {
      const { shard } = delivery;
      if (stream !== undefined)
        client.outbox.retained.committed(stream, { shard, topic: topic.name });
    }
    if (client.ended) return;
    for (const delivery of received) {
      if (delivery.state === DELIVERY.receiving) client.connection.release(delivery);
    }
    for (const prepared of assigned) client.outbox.publish(prepared, false);
    // who sends retained values may wait for this
    if (assigned.some(({ stream }) => stream !== undefined)) client.outbox.pump();
    client.touch();
  }

  #of(client: Client): Changes {
    const group = this.#groupOf(client);
    let changes = group.changes.get(client);
    if (changes === undefined) {
      changes = { client, completed: [], received: [], assigned: [], receipted: [] };
      group.changes.set(client, changes);
      this.#gateway.schedule();
    }
    return changes;
  }

  #groupOf({ incarnation }: Client): Group {
    const number = this.#gateway.sessions.groupOf?.(incarnation) ?? 0;
    let group = this.#groups.get(number);
    if (group === undefined) {
      group = { changes: new Map(), committing: [] };
      this.#groups.set(number, group);
    }
    return group;
  }
}

/** Nothing is kept any more: whoever waits for a PUBREC gets none. */
function giveUp({ client, receipted }: Changes): void {
  if (receipted.length === 0) return;
  client.connection.fail(REASON.serverUnavailable, "sessions can't be kept now");
  for (const { answer } of receipted) answer();
}

/** How the session state keeps a delivery. */
export function toUnfinished(delivery: SubDelivery): Unfinished {
  const { packetId, qos, shard, offset, retainedTopic, source, state } = delivery;
  return {
    packetId,
    qos,
    received: state === DELIVERY.receiving || state === DELIVERY.released,
    source: retainedTopic === undefined ? "queue" : "retained",
    queue: retainedTopic ?? source.filter,
    shard,
    offset,
  };
}

function toCommand(changes: Changes): DeliveryChanges {
  const { client, completed, received, assigned, receipted } = changes;
  const shards = new Set(receipted.map(({ shard }) => shard));
  return {
    incarnation: client.incarnation,
    epoch: client.epoch,
    completed,
    received: received.map((delivery) => delivery.packetId),
    assigned: assigned.map(({ delivery }) => ({ ...toUnfinished(delivery), received: false })),
    retainedAfter: placesOf(assigned),
    ...(shards.size > 0 && { receiptShards: [...shards] }),
  };
}

/** How far retained values have come with these: the last of each subscription. */
function placesOf(assigned: readonly Prepared[]): RetainedProgress[] {
  const places = new LazyMap<string, RetainedProgress>();
  for (const { stream, delivery, topic } of assigned) {
    if (stream?.isCurrent !== true) continue;
    const { filter } = stream.sub;
    places.set(filter, { filter, shard: delivery.shard, topic: topic.name });
  }
  return [...places.values()];
}
