import type { Offset, QueueStat } from "@canopy/store";

/** What the owner knows of a queue that has messages in its shard, or is about to. */
export class QueueState {
  readonly name: string;
  messages = 0;
  bytes = 0;
  /** Appends with messages for it that have not settled. */
  pending = 0;
  /** Messages and bytes that came since the start. */
  arrived = 0;
  arrivedBytes = 0;
  /** Bytes and messages that came since limits were applied. */
  fresh = 0;
  freshMessages = 0;
  /** Up to where it was trimmed. */
  trimmed: Offset = 0;
  /** What limits forbid is leaving it. */
  isDropping = false;
  /** It is among those that have to be looked at soon. */
  isTouched = false;
  /** Milliseconds until the next look; grows while nothing happens. */
  interval = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** A queue as it was when the backend was asked about it. */
export interface Arrived {
  readonly arrived: number;
  readonly arrivedBytes: number;
}

/** One append's messages for one queue. */
export class Posting {
  readonly state: QueueState;
  readonly indexes: number[] = [];
  bytes = 0;

  constructor(state: QueueState) {
    this.state = state;
  }
}

/** The queues of one shard that have messages, and how much is in them. */
export class ShardQueues {
  readonly #states = new Map<string, QueueState>();
  #touched: QueueState[] = [];
  #messages = 0;
  #bytes = 0;

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(name: string): QueueState | undefined {
    return this.#states.get(name);
  }

  has(name: string): boolean {
    return this.#states.has(name);
  }

  /** Messages for a queue will be given to the backend. */
  begin(name: string): Posting {
    const state = this.#open(name);
    state.pending++;
    return new Posting(state);
  }

  settled({ state, indexes, bytes }: Posting, isStored: boolean): void {
    state.pending--;
    this.touch(state);
    if (!isStored) return;
    state.arrived += indexes.length;
    state.arrivedBytes += bytes;
    state.fresh += bytes;
    state.freshMessages += indexes.length;
    this.#count(state, state.messages + indexes.length, state.bytes + bytes);
  }

  /** Something in it was finished: it may be trimmed soon. */
  touchIfThere(name: string): void {
    const state = this.#states.get(name);
    if (state !== undefined) this.touch(state);
  }

  touch(state: QueueState): void {
    if (state.isTouched) return;
    state.isTouched = true;
    this.#touched.push(state);
  }

  /** Those that were touched since this was asked last. */
  takeTouched(): QueueState[] {
    const touched = this.#touched;
    this.#touched = [];
    for (const state of touched) state.isTouched = false;
    return touched;
  }

  /**
   * The backend's count takes the place of the owner's, plus what has arrived since the backend was
   * asked. An empty queue is forgotten; false then.
   */
  learn(stat: QueueStat, since: Arrived): boolean {
    const state = this.#open(stat.queue);
    const arrived = state.arrived - since.arrived;
    const bytes = stat.bytes + state.arrivedBytes - since.arrivedBytes;
    this.#count(state, stat.messages + arrived, bytes);
    if (state.messages > 0 || state.pending > 0) return true;
    this.#states.delete(stat.queue);
    return false;
  }

  /** The queue has been removed. */
  removed(name: string): void {
    const state = this.#states.get(name);
    if (state === undefined) return;
    this.#count(state, 0, 0);
    if (state.pending === 0) this.#states.delete(name);
  }

  #open(name: string): QueueState {
    let state = this.#states.get(name);
    if (state === undefined) {
      state = new QueueState(name);
      this.#states.set(name, state);
      this.touch(state);
    }
    return state;
  }

  #count(state: QueueState, messages: number, bytes: number): void {
    this.#messages += messages - state.messages;
    this.#bytes += bytes - state.bytes;
    state.messages = messages;
    state.bytes = bytes;
  }
}
