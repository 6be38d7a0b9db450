import { type Clock, Deque, type Logger, type Timer, type Timers } from "@canopy/base";
import type { Append, ShardStore } from "@canopy/store";
import type { Entry } from "./entry.ts";
import type { Owner } from "./owner.ts";
import { reasonOf, UNSPECIFIED_ERROR } from "./reason.ts";

export interface PipelineParts {
  readonly owner: Owner;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly waitTimeout: number;
  /** Pushes and answers; called in the order of the entries. */
  readonly finish: (entry: Entry) => void;
  /** Answers with an error what has waited too long; what becomes of it later is still pushed. */
  readonly giveUp: (entry: Entry, reasonCode: number) => void;
}

/**
 * The entries of one shard between publish and answer. Appends are given to the backend at once
 * and settle when they like; what follows from them (push, answer) happens in the order of entries.
 */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #entries = new Deque<Entry>();
  #finished = 0;
  #sequence = 0;
  #bytes = 0;
  #draining = false;
  #timer: Timer | undefined;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    parts.owner.opened = (error) => this.#opened(error);
  }

  /** The last entry of which everything has been pushed and answered. */
  get finished(): number {
    return this.#finished;
  }

  /** The newest entry. */
  get latest(): number {
    return this.#sequence;
  }

  /** What is not finished, in order. */
  get entries(): Iterable<Entry> {
    return this.#entries;
  }

  /** Memory held by what is not finished. */
  get bytes(): number {
    return this.#bytes;
  }

  nextSequence(): number {
    return ++this.#sequence;
  }

  /** Takes its place in the order; what there is to store goes to the backend. */
  add(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    if (entry.draft === undefined) {
      entry.settle(0);
    } else {
      entry.draft.seal(entry.records);
      this.#submit(entry);
    }
  }

  /** The rest of the entry's batch has been passed on, so the entry may be finished. */
  ready(entry: Entry): void {
    entry.ready = true;
    this.drain();
    if (this.#entries.size > 0) this.#watch();
  }

  /** Settles when everything that is here now is finished. */
  barrier(): Promise<void> {
    const last = this.#entries.at(this.#entries.size - 1);
    if (last === undefined) return Promise.resolve();
    return new Promise((resolve) => last.waiting.push(resolve));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The shard is open (again), or could not be opened. */
  #opened(error: unknown): void {
    for (const entry of this.#entries) {
      if (entry.settled || entry.submitted) continue;
      if (error === undefined) this.#submit(entry);
      else entry.settle(reasonOf(error));
    }
    this.drain();
  }

  #submit(entry: Entry): void {
    const { owner } = this.#parts;
    const store = owner.current;
    const draft = entry.draft;
    if (draft === undefined) return;
    const first = store === undefined || draft.count === 0 ? 0 : owner.assign(draft.count);
    if (store === undefined || (first === 0 && draft.count > 0)) {
      // It waits for the new epoch; right after a failed attempt it doesn't.
      const waits = owner.reopen();
      if (!waits) entry.settle(UNSPECIFIED_ERROR);
      return;
    }
    const { sender, batch, origin } = entry;
    if (sender !== undefined && owner.isFailing) {
      // One before it may have failed, and nothing of a sender is stored behind what is not.
      entry.settle(UNSPECIFIED_ERROR);
      return;
    }
    entry.first = first;
    entry.submitted = true;
    entry.epoch = store.epoch;
    if (sender !== undefined) {
      sender.submitted(batch.seq);
      draft.sender({ sender: sender.name, term: 0, seq: batch.seq });
    } else if (origin.mark !== undefined) draft.sender(origin.mark);
    this.#append(store, draft.toAppend(first), entry);
  }

  #append(store: ShardStore, append: Append, entry: Entry): void {
    store.append(append).then(
      () => this.#settle(entry, 0),
      (error: unknown) => {
        this.#parts.owner.failed(store, error);
        this.#settle(entry, reasonOf(error));
      },
    );
  }

  #settle(entry: Entry, failure: number): void {
    entry.settle(failure);
    this.drain();
  }

  /** Finishes what is settled, up to the first that is not. */
  drain(): void {
    // A gateway may publish while it is told: that entry waits its turn.
    if (this.#draining) return;
    this.#draining = true;
    for (;;) {
      const entry = this.#entries.peek();
      if (entry === undefined || !entry.settled || !entry.ready) break;
      this.#entries.shift();
      this.#finish(entry);
    }
    this.#draining = false;
  }

  #finish(entry: Entry): void {
    try {
      this.#parts.finish(entry);
    } catch (error) {
      // One gateway's mistake must not stop the shard for all.
      this.#parts.logger.error({ err: error }, "a gateway failed when it was told");
    }
    this.#finished = entry.sequence;
    this.#bytes -= entry.bytes;
    for (const resolve of entry.waiting) resolve();
  }

  /** One timer while there is anything, not one per entry. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    const { timers, clock, waitTimeout } = this.#parts;
    const oldest = this.#firstInTime();
    if (oldest === undefined) return;
    const left = oldest.since + waitTimeout - clock.now();
    this.#timer = timers.set(Math.max(left, 0), () => {
      this.#timer = undefined;
      this.#expire();
      this.#watch();
    });
  }

  #expire(): void {
    const { clock, waitTimeout, giveUp } = this.#parts;
    const since = clock.now() - waitTimeout;
    for (const entry of this.#entries) {
      if (entry.since > since) break;
      if (entry.overdue) continue;
      entry.overdue = true;
      if (!entry.submitted && !entry.settled) entry.settle(UNSPECIFIED_ERROR);
      giveUp(entry, UNSPECIFIED_ERROR);
    }
    this.drain();
  }

  #firstInTime(): Entry | undefined {
    for (const entry of this.#entries) if (!entry.overdue) return entry;
    return undefined;
  }
}
