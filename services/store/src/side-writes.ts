import { Deferred } from "@canopy/base";
import type { Append, ReceiptChange, SenderSeq } from "@canopy/store";
import type { Owner } from "./owner.ts";

const EMPTY: Uint8Array = Buffer.alloc(0);

/** What is to be written, and who waits for it. */
class Pending {
  readonly receipts: ReceiptChange[] = [];
  readonly endedSessions: number[] = [];
  readonly senders: SenderSeq[] = [];
  readonly progress = new Map<string, () => Uint8Array | undefined>();
  readonly done = new Deferred();
}

/**
 * Small changes without messages: receipts that go, progress of shared groups. All of one turn, and
 * all that comes while the backend writes, is one append.
 */
export class SideWrites {
  readonly #owner: Owner;
  #pending: Pending | undefined;
  #writing: Promise<void> | undefined;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** Settles when the receipt's removal is on disk. */
  forget(session: number, key: number): Promise<void> {
    const pending = this.#next();
    pending.receipts.push({ session, key, add: false });
    return pending.done.promise;
  }

  endSession(session: number): Promise<void> {
    const pending = this.#next();
    pending.endedSessions.push(session);
    return pending.done.promise;
  }

  /** The sender is gone. */
  forgetSender(sender: string): Promise<void> {
    const pending = this.#next();
    pending.senders.push({ sender, term: 0, seq: 0 });
    return pending.done.promise;
  }

  /**
   * `encode` is called when it is written: what it gives then counts. Empty removes it, undefined leaves
   * it as it is.
   */
  progress(queue: string, encode: () => Uint8Array | undefined): Promise<void> {
    const pending = this.#next();
    pending.progress.set(queue, encode);
    return pending.done.promise;
  }

  /** Settles when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #next(): Pending {
    if (this.#pending === undefined) {
      this.#pending = new Pending();
      // Whoever waits hears of a failure; that nobody waits is no reason to end the process.
      this.#pending.done.promise.catch(() => {});
      this.#writing ??= this.#write();
    }
    return this.#pending;
  }

  async #write(): Promise<void> {
    await Promise.resolve();
    for (let pending = this.#pending; pending !== undefined; pending = this.#pending) {
      this.#pending = undefined;
      try {
        await this.#append(pending);
        pending.done.resolve();
      } catch (error) {
        pending.done.reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #append(pending: Pending): Promise<void> {
    const store = this.#owner.require();
    const progress = new Map<string, Uint8Array>();
    for (const [queue, encode] of pending.progress) {
      const encoded = encode();
      if (encoded !== undefined) progress.set(queue, encoded);
    }
    const { receipts, endedSessions, senders } = pending;
    try {
      await store.append({ ...EMPTY_APPEND, receipts, endedSessions, senders, progress });
    } catch (error) {
      this.#owner.failed(store, error);
      throw error;
    }
  }
}

/** What an append without messages starts from. */
export const EMPTY_APPEND: Append = {
  first: 0,
  bodies: EMPTY,
  ends: [],
  expiries: [],
  postings: new Map(),
  retained: [],
  receipts: [],
  endedSessions: [],
  senders: [],
  progress: new Map(),
};
