import { LazyMap } from "@canopy/base";
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
}

/**
 * Deliveries of durable sessions at QoS 2, and of retained values: packet identifiers, PUBREC and PUBCOMP are committed to the
 * session state, all that came in a turn by one command, before what follows from them leaves.
 */
export class Deliveries {
  readonly #gateway: Gateway;
  #changes = new Map<Client, Changes>();
  #committing: readonly Changes[] = [];
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

  /** Settles when everything noted for this client has been committed. */
  async idle(client: Client): Promise<void> {
    while (this.#changes.has(client) || this.#committing.some((c) => c.client === client)) {
      // oxlint-disable-next-line no-loop-func
      await new Promise<void>((resolve) => this.#settled.push(resolve));
    }
  }

  /** At the end of a turn. One command at a time: what comes meanwhile goes with the next. */
  flush(): void {
    if (this.#committing.length > 0 || this.#changes.size === 0) return;
    const changes = [...this.#changes.values()];
    this.#changes = new Map();
    this.#committing = changes;
    this.#commit(changes);
  }

  #commit(changes: readonly Changes[]): void {
    this.#gateway.sessions.deliveries(changes.map(toCommand)).then(
      () => {
        this.#committing = [];
        for (const change of changes) this.#committed(change);
        for (const resolve of this.#settled.splice(0)) resolve();
        this.flush();
      },
      (error: unknown) => {
        if (error instanceof SessionError && error.code === "closed") {
          this.#committing = [];
          for (const resolve of this.#settled.splice(0)) resolve();
          this.flush();
          return;
        }
        this.#gateway.logger.warn({ error }, "committing deliveries failed; trying again");
        this.#gateway.later(RETRY, () => this.#commit(changes));
      },
    );
  }

  #committed({ client, received, assigned }: Changes): void {
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
    let changes = this.#changes.get(client);
    if (changes === undefined) {
      changes = { client, completed: [], received: [], assigned: [] };
      this.#changes.set(client, changes);
      this.#gateway.schedule();
    }
    return changes;
  }
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

function toCommand({ client, completed, received, assigned }: Changes): DeliveryChanges {
  return {
    incarnation: client.incarnation,
    epoch: client.epoch,
    completed,
    received: received.map((delivery) => delivery.packetId),
    assigned: assigned.map(({ delivery }) => ({ ...toUnfinished(delivery), received: false })),
    retainedAfter: placesOf(assigned),
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
