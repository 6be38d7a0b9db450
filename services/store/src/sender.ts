import type { ShardStore } from "@canopy/store";

const GATEWAY = "g";
const GROUP = "s";

/** The name of a session group's terms in the store. */
export function groupName(group: number): string {
  return `${GROUP}${group}`;
}

/** The name of a gateway's numbers in the store. */
export function senderName(gateway: number): string {
  return `${GATEWAY}${gateway}`;
}

/** The gateway of this name; 0 where it is not one's. */
export function gatewayOf(sender: string): number {
  return sender.startsWith(GATEWAY) ? Number(sender.slice(GATEWAY.length)) : 0;
}

/**
 * What a gateway has given to one shard, as far as that matters for giving it again. Its messages of
 * QoS ≥ 1 leave in their order, so that whoever receives them can drop what comes a second time. For
 * the same reason nothing is taken behind a batch that has failed before the gateway has said that it
 * knows: the failed one might come again.
 */
export class Sender {
  readonly gateway: number;
  readonly name: string;
  /** How often it has resumed: what it gave before the last time is not answered any more. */
  run = 0;
  /** What it resumed to. */
  epoch = 0;
  /** The number that has to come next. */
  next = 0;
  /** The last entry of the pipeline with a message of QoS ≥ 1 of it. */
  lastEntry = 0;
  /** A batch of this run that was answered with an error; what follows is not taken. */
  #stoppedAt = Number.POSITIVE_INFINITY;
  /** Batches up to here are stored, or were given to the backend. */
  #taken = 0;
  /** Those that are on their way to the backend, ascending. */
  readonly #underWay = new Set<number>();

  constructor(gateway: number) {
    this.gateway = gateway;
    this.name = senderName(gateway);
  }

  resume(epoch: number, seq: number): void {
    this.run++;
    this.epoch = epoch;
    this.next = seq;
    this.#stoppedAt = Number.POSITIVE_INFINITY;
  }

  /** The shard is open under the epoch that was resumed to. */
  learn(store: ShardStore): void {
    this.#taken = this.storedIn(store);
    for (const seq of this.#underWay) if (seq > this.#taken) this.#taken = seq;
  }

  storedIn(store: ShardStore): number {
    return store.sender(this.name)?.seq ?? 0;
  }

  /** The batch was with the backend before: it is not to be stored again. */
  isRepeated(seq: number): boolean {
    return seq <= this.#taken;
  }

  submitted(seq: number): void {
    this.#taken = seq;
    this.#underWay.add(seq);
  }

  settled(seq: number): void {
    this.#underWay.delete(seq);
  }

  /** Nothing above this number is taken in this run. */
  stop(seq: number): void {
    if (seq < this.#stoppedAt) this.#stoppedAt = seq;
  }

  /** It comes behind one that has failed. */
  isAfterError(seq: number): boolean {
    return seq > this.#stoppedAt;
  }

  get isStopped(): boolean {
    return this.#stoppedAt !== Number.POSITIVE_INFINITY;
  }
}
