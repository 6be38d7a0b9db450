/**
 * The writer of the log that all groups of a process share.
 *
 * Group commit: while one write is on its way to the disk everything else gathers, and goes with
 * the next. So the disk's latency bounds the time of a write, not their rate. What fails is tried
 * again until it succeeds; nothing that was given is ever taken back.
 */
import { ByteWriter, Deque, type Logger, type Timer, type Timers } from "@canopy/base";
import { FRAME_HEADER_BYTES, sealFrame } from "./frame.ts";
import type { SegmentPool } from "./pool.ts";
import { encodeRecord, type LogRecord } from "./records.ts";
import type { Place } from "./recover.ts";
import type { Segment } from "./segment.ts";
import type { Table } from "./table.ts";

/** One write takes no more than this, or one record. */
const FRAME_BYTES = 512 * 1024;
/** In place first; a segment that fails so often in a row is left for a fresh one. */
const FAILURES = 2;
/** The next segment is made ready when the present one is full to this part. */
const PREPARE_PART = 4;
const FIRST_RETRY = 20;
const LONGEST_RETRY = 2_000;

export interface Item {
  /** Asked when its turn comes: undefined if there is nothing to write any more. */
  readonly record: () => LogRecord | undefined;
  /** Of the item, about. */
  readonly bytes: number;
  /** It is written by itself: what it says depends on all that was given before. */
  readonly alone: boolean;
  readonly done: (() => void) | undefined;
}

export interface WalOptions {
  readonly directory: string;
  readonly table: Table;
  readonly pool: SegmentPool;
  readonly timers: Timers;
  readonly logger: Logger;
  /** What a write waits for: the disk, or the operating system's memory. */
  readonly sync: boolean;
  readonly segmentBytes: number;
  /** Called after each write, when the table has it; `opened`: a segment was begun with it. */
  readonly onWritten: (opened: boolean) => void;
  readonly onFailing: (error: Error | undefined) => void;
}

export class Wal {
  readonly #options: WalOptions;
  readonly #queue = new Deque<Item>();
  readonly #frame = new ByteWriter(64 * 1024);
  #segment: Segment | undefined;
  /** Where the content of earlier segments ends; empty at the very beginning. */
  #chain: Place[] = [];
  #nextFrame = 1;
  #failing: Error | undefined;
  #running: Promise<void> | undefined;
  #retry: { timer: Timer; wake: () => void } | undefined;
  #stopped = false;

  constructor(options: WalOptions) {
    this.#options = options;
  }

  continue(chain: readonly Place[], nextFrame: number): void {
    this.#chain = [...chain];
    this.#nextFrame = nextFrame;
  }

  get failing(): Error | undefined {
    return this.#failing;
  }

  /** Segments with content, the present one included. */
  get segments(): readonly number[] {
    return this.#chain.map(({ number }) => number);
  }

  /** Where the content of a segment ends; undefined if it is not the log's any more. */
  endOf(segment: number): number | undefined {
    return this.#chain.find(({ number }) => number === segment)?.end;
  }

  /** The number of the segment that is written, or would be next. */
  get present(): number {
    return this.#chain.at(-1)?.number ?? 1;
  }

  add(item: Item): void {
    if (this.#stopped) return;
    this.#queue.push(item);
    this.#running ??= this.#run();
  }

  /** Those before `oldest` are not the log's any more. */
  forget(oldest: number): number[] {
    const forgotten = this.#chain.filter(({ number }) => number < oldest);
    this.#chain = this.#chain.filter(({ number }) => number >= oldest);
    return forgotten.map(({ number }) => number);
  }

  async sync(): Promise<void> {
    await this.#segment?.sync();
  }

  /** What is on its way to the disk is waited for; the rest is not written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.wake();
    await this.#running;
    const segment = this.#segment;
    this.#segment = undefined;
    if (segment === undefined) return;
    try {
      await segment.sync();
    } finally {
      await segment.close();
    }
  }

  /** Writes until nothing waits any more. */
  async #run(): Promise<void> {
    // What else is given in this turn goes with the first write.
    await Promise.resolve();
    while (this.#queue.size > 0 && !this.#stopped) {
      const items: Item[] = [];
      const records = this.#collect(items);
      const before = this.present;
      if (records.length > 0 && !(await this.#persist())) break;
      this.#settle(items, records, this.present !== before);
    }
    this.#running = undefined;
  }

  #collect(items: Item[]): LogRecord[] {
    const records: LogRecord[] = [];
    this.#frame.reset();
    this.#frame.gap(FRAME_HEADER_BYTES);
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      const isFull = this.#frame.length + next.bytes > FRAME_BYTES;
      if (items.length > 0 && (isFull || next.alone)) break;
      this.#queue.shift();
      items.push(next);
      const record = next.record();
      if (record !== undefined) {
        encodeRecord(this.#frame, record);
        records.push(record);
      }
      if (next.alone) break;
    }
    return records;
  }

  #settle(items: readonly Item[], records: readonly LogRecord[], opened: boolean): void {
    const { table, onWritten } = this.#options;
    for (const record of records) table.apply(record, this.present);
    for (const { done } of items) {
      // After a stop nobody may be told anything.
      if (!this.#stopped) done?.();
    }
    if (!this.#stopped) onWritten(opened);
  }

  /** Puts the frame on the disk, however often that takes. `false`: stopped before it succeeded. */
  async #persist(): Promise<boolean> {
    for (let wait = FIRST_RETRY; ; wait = Math.min(wait * 2, LONGEST_RETRY)) {
      try {
        await this.#write(await this.#segmentFor(this.#frame.length));
        this.#report(undefined);
        return true;
      } catch (error) {
        if (this.#stopped) return false;
        this.#report(error instanceof Error ? error : new Error(String(error)));
        await this.#pause(wait);
        if (this.#stopped) return false;
      }
    }
  }

  async #write(segment: Segment): Promise<void> {
    const { sync, pool, segmentBytes } = this.#options;
    const { number, salt } = segment;
    if (segment.isFresh) {
      const head = this.#head(segment);
      const header = { back: 0, previousEnd: 0, number: this.#nextFrame + 1, synced: segment.size };
      const frame = sealFrame(this.#frame, salt, header);
      await segment.append(Buffer.concat([head, frame]), sync);
      this.#chain.push({ number, end: segment.size });
      this.#nextFrame += 2;
    } else {
      const header = { back: 0, previousEnd: 0, number: this.#nextFrame, synced: segment.synced };
      await segment.append(sealFrame(this.#frame, salt, header), sync);
      this.#chain[this.#chain.length - 1] = { number, end: segment.size };
      this.#nextFrame++;
    }
    if (segment.size > segmentBytes / PREPARE_PART) pool.prepare();
  }

  /** Everything but entries, so that a reader can begin with this segment. */
  #head({ number, salt, size }: Segment): Buffer {
    const w = new ByteWriter(1024);
    w.gap(FRAME_HEADER_BYTES);
    const { disk, format, oldest, groups, foundings, givenUp } = this.#options.table;
    encodeRecord(w, { type: "identity", disk, format });
    encodeRecord(w, { type: "oldest", segment: oldest });
    for (const { state } of groups.values()) encodeRecord(w, { type: "state", state });
    for (const [group, founding] of foundings) {
      encodeRecord(w, { type: "founding", group, founding });
    }
    for (const [group, replica] of givenUp) encodeRecord(w, { type: "givenUp", group, replica });
    const before = this.#chain.at(-1);
    return sealFrame(w, salt, {
      back: before === undefined ? 0 : number - before.number,
      previousEnd: before?.end ?? 0,
      number: this.#nextFrame,
      synced: size,
    });
  }

  /** The present one while there is room; where no other can be had it grows beyond its size. */
  async #segmentFor(bytes: number): Promise<Segment> {
    const { pool, segmentBytes } = this.#options;
    const present = this.#segment;
    if (present !== undefined) {
      const fits = present.isFresh || present.size + bytes <= segmentBytes;
      if (fits && present.failures < FAILURES) return present;
    }
    let next: Segment;
    try {
      // What is in earlier segments has to be on the disk before there is anything in a later one.
      await present?.sync();
      next = await pool.take();
    } catch (error) {
      if (present === undefined) throw error;
      return present;
    }
    this.#segment = next;
    if (present?.isFresh) await pool.discard(present);
    else await present?.close().catch(() => {});
    return next;
  }

  #report(error: Error | undefined): void {
    if (this.#failing?.message === error?.message) return;
    const { logger, directory, onFailing } = this.#options;
    if (error === undefined) logger.info({ directory }, "raft log writes again");
    else logger.error({ directory, error: error.message }, "raft log can't be written");
    this.#failing = error;
    if (!this.#stopped) onFailing(error);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#retry?.timer.cancel();
        this.#retry = undefined;
        resolve();
      };
      this.#retry = { timer: this.#options.timers.set(ms, wake), wake };
    });
  }
}
