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

/** What a gateway gives from one resuming to the next. */
export class Run {
  /** What it resumed to. */
  readonly epoch: number;
  /** Number of its first batch. */
  readonly first: number;
  /** Above this number nothing is taken: that, or the next one, is not stored. */
  #stoppedAt = Number.POSITIVE_INFINITY;
  #isOver = false;

  constructor(epoch: number, first: number) {
    this.epoch = epoch;
    this.first = first;
  }

  stop(seq: number): void {
    if (seq < this.#stoppedAt) this.#stoppedAt = seq;
  }

  /** Something is given again: nothing more is taken, but what is under way goes on. */
  end(): void {
    this.#isOver = true;
  }

  get isStopped(): boolean {
    return this.#isOver || this.#stoppedAt !== Number.POSITIVE_INFINITY;
  }

  /** It comes behind one that has failed. */
  isAfterError(seq: number): boolean {
    return seq > this.#stoppedAt;
  }
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
  /** What was given in earlier ones is not answered any more. */
  run: Run = new Run(0, 0);
  /** The number that has to come next. */
  next = 0;
  /** The last entry of the pipeline with a message of QoS ≥ 1 of it. */
  lastEntry = 0;
  /** Batches up to here are stored, or were given to the backend. */
  #taken = 0;
  /** Those that are on their way to the backend, ascending. */
  readonly #underWay = new Set<number>();

  constructor(gateway: number) {
    this.gateway = gateway;
    this.name = senderName(gateway);
  }

  get epoch(): number {
    return this.run.epoch;
  }

  resume(epoch: number, seq: number): void {
    this.run = new Run(epoch, seq);
    this.next = seq;
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

  /** It is not stored. Where it was given again meanwhile, it was believed to be. */
  failed(seq: number, run: Run): void {
    run.stop(seq);
    if (run !== this.run && this.run.first <= seq) this.run.stop(seq - 1);
  }
}
