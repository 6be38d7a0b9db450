/** Where a leader stands with one replica. */
import type { LogIndex, ProgressView } from "./types.ts";

/** Appends that were sent and not answered: how many, and how many bytes. */
class Inflight {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  /** A ring of last indexes and of bytes, its length a power of two. */
  #ends: number[] = [];
  #sizes: number[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count >= this.#maxCount || this.#bytes >= this.#maxBytes;
  }

  add(end: LogIndex, bytes: number): void {
    if (this.#count === this.#ends.length) this.#grow();
    const slot = (this.#head + this.#count) & (this.#ends.length - 1);
    this.#ends[slot] = end;
    this.#sizes[slot] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Those up to the index have arrived. */
  free(index: LogIndex): void {
    while (this.#count > 0 && (this.#ends[this.#head] as number) <= index) {
      this.#bytes -= this.#sizes[this.#head] as number;
      this.#head = (this.#head + 1) & (this.#ends.length - 1);
      this.#count--;
    }
  }

  clear(): void {
    this.#head = this.#count = this.#bytes = 0;
  }

  #grow(): void {
    const length = this.#ends.length;
    const unroll = (ring: number[]): number[] => {
      const unrolled = [...ring.slice(this.#head), ...ring.slice(0, this.#head)];
      for (let i = 0; i < Math.max(4, length); i++) unrolled.push(0);
      return unrolled;
    };
    this.#ends = unroll(this.#ends);
    this.#sizes = unroll(this.#sizes);
    this.#head = 0;
  }
}

/**
 * - probe: where the logs match is not known; one append at a time, one more after each answer.
 * - replicate: they match up to `match`, and appends follow each other without waiting.
 * - snapshot: nothing is sent until the snapshot has arrived or was lost.
 */
export class Progress {
  match: LogIndex = 0;
  next: LogIndex;
  state: ProgressView["state"] = "probe";
  /** Has answered since the last check of the quorum. */
  recentlyActive: boolean;
  /** Nothing is sent until it answers: a probe is out, or the window is full. */
  held = false;
  /** The next append is sent even if it holds nothing: its answer tells whether one was lost. */
  nudged = false;
  /** Commit index of the last append, as far as it counts as arrived. */
  sentCommit: LogIndex = 0;
  /** In snapshot state: what was sent. */
  snapshot: LogIndex = 0;
  readonly inflight: Inflight;

  constructor(next: LogIndex, active: boolean, maxAppends: number, maxBytes: number) {
    this.next = next;
    this.recentlyActive = active;
    this.inflight = new Inflight(maxAppends, maxBytes);
  }

  get paused(): boolean {
    return this.held || this.state === "snapshot";
  }

  becomeProbe(): void {
    // A snapshot that arrived is where to go on; `match` follows with the answer.
    const known = this.state === "snapshot" ? Math.max(this.match, this.snapshot) : this.match;
    this.#become("probe", known + 1);
    this.sentCommit = Math.min(this.sentCommit, known);
  }

  becomeReplicate(): void {
    this.#become("replicate", this.match + 1);
  }

  becomeSnapshot(index: LogIndex): void {
    this.#become("snapshot", index + 1);
    this.snapshot = this.sentCommit = index;
  }

  /** Entries were sent, from `next` on, or none. */
  sent(count: number, bytes: number, commit: LogIndex): void {
    this.sentCommit = Math.max(this.sentCommit, commit);
    this.nudged = false;
    if (this.state === "probe") {
      this.held = true;
      return;
    }
    if (count > 0) {
      this.next += count;
      this.inflight.add(this.next - 1, bytes);
    }
    this.held = this.inflight.full;
  }

  /** An append with nothing but a newer commit index would tell it something. */
  get wantsCommit(): LogIndex {
    return this.sentCommit < this.next - 1 ? this.sentCommit : Number.POSITIVE_INFINITY;
  }

  /** False for an answer that tells nothing new; then `match` and `next` stay: they never fall by it. */
  accepted(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.held = false;
    return true;
  }

  /** `rejected` was the append's prevIndex; false if the answer is older than what is known. */
  rejected(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.becomeProbe();
      return true;
    }
    if (this.state === "snapshot" || this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.held = false;
    return true;
  }

  view(): ProgressView {
    const { match, next, state, recentlyActive } = this;
    return { match, next, state, recentlyActive, inflight: this.inflight.count };
  }

  #become(state: ProgressView["state"], next: LogIndex): void {
    this.state = state;
    this.next = next;
    this.held = this.nudged = false;
    this.snapshot = 0;
    this.inflight.clear();
  }
}
