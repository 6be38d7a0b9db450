import type {
  Append,
  Offset,
  ReceiptChange,
  Records,
  RetainedChange,
  SenderSeq,
} from "@canopy/store";
import type { Queue } from "./queue.ts";
import type { Posting, ShardQueues } from "./queues.ts";

const NOTHING = Buffer.alloc(0);
const NO_SESSIONS: readonly number[] = [];
const NO_SENDERS: readonly SenderSeq[] = [];
const NO_PROGRESS: Append["progress"] = new Map();

/** The append of one batch while it is put together, until its offsets are known. */
export class Draft {
  readonly postings: Posting[] = [];
  readonly #ends: number[] = [];
  readonly #expiries: number[] = [];
  readonly #postings = new Map<string, number[]>();
  readonly #retained: RetainedChange[] = [];
  readonly #receipts: ReceiptChange[] = [];
  /** Which bytes of the batch to copy: [from, to, from, to, …]; neighbours are one run. */
  readonly #runs: number[] = [];
  #senders = NO_SENDERS;
  #bodies = NOTHING;
  #bytes = 0;

  get count(): number {
    return this.#ends.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A body; returns its index. */
  add(start: number, end: number, expiresAt: number): number {
    const runs = this.#runs;
    if (runs.length > 0 && runs[runs.length - 1] === start) runs[runs.length - 1] = end;
    else runs.push(start, end);
    this.#bytes += end - start;
    this.#expiries.push(expiresAt);
    return this.#ends.push(this.#bytes) - 1;
  }

  post(queue: Queue, index: number, size: number, queues: ShardQueues): void {
    let posting = queue.draft === this ? queue.posting : undefined;
    if (posting === undefined) {
      posting = queues.begin(queue.name);
      queue.draft = this;
      queue.posting = posting;
      this.#postings.set(queue.name, posting.indexes);
      this.postings.push(posting);
    }
    posting.indexes.push(index);
    posting.bytes += size;
  }

  /** An index of -1 removes the value. */
  retain(topic: string, index: number): void {
    this.#retained.push({ topic, index });
  }

  receipt(session: number, key: number, add: boolean): void {
    this.#receipts.push({ session, key, add });
  }

  /** Who gave it, and what is the last that is known of that. */
  sender(sender: SenderSeq): void {
    this.#senders = [sender];
  }

  /** Called with the topics whose values change, and when those expire: 0 = never, or removed. */
  forEachRetained(visit: (topic: string, expiresAt: number) => void): void {
    for (const { topic, index } of this.#retained) visit(topic, this.#expiries[index] ?? 0);
  }

  forEachReceipt(visit: (session: number, key: number) => void): void {
    for (const { session, key, add } of this.#receipts) if (add) visit(session, key);
  }

  /** Copies the bodies: the batch's own memory may be used again before the backend is done. */
  seal(records: Records): void {
    const bodies = Buffer.allocUnsafe(this.#bytes);
    const runs = this.#runs;
    let at = 0;
    for (let i = 0; i < runs.length; i += 2) {
      at += records.bytes.copy(bodies, at, runs[i], runs[i + 1]);
    }
    this.#bodies = bodies;
  }

  toAppend(first: Offset): Append {
    return {
      first,
      bodies: this.#bodies,
      ends: this.#ends,
      expiries: this.#expiries,
      postings: this.#postings,
      retained: this.#retained,
      receipts: this.#receipts,
      endedSessions: NO_SESSIONS,
      senders: this.#senders,
      progress: NO_PROGRESS,
    };
  }
}
