import type { Database } from "./database.ts";
import { pairKey } from "./keys.ts";
import { decodeRecord, type StoredRecord } from "./record.ts";
import { ByteCache, type RecordCache } from "./record-cache.ts";
import { chunkOf, decodeRun, type Run } from "./run.ts";

/** Decoded runs kept, over all shards. */
const RUN_BYTES = 16 * 2 ** 20;
/** Per message of a run in memory, and per run. */
const RUN_ENTRY = 16;
const RUN_OVERHEAD = 400;
/** Records asked for at once: few until it is known that they are small. */
const FIRST_BATCH = 4;
const LARGEST_BATCH = 256;
/** What a batch may bring if its records are like those before. */
const BATCH_BYTES = 2 ** 20;

/** What is needed of the database. */
export type Readable = Pick<Database, "get" | "getMany">;

/** Reads records and runs, through caches. */
export class DiskReader {
  readonly #database: Readable;
  readonly #records: RecordCache;
  readonly #runs: ByteCache<string, Run> = new ByteCache(
    RUN_BYTES,
    (run) => run.offsets.length * RUN_ENTRY + RUN_OVERHEAD,
    true,
  );

  constructor(database: Readable, records: RecordCache) {
    this.#database = database;
    this.#records = records;
  }

  cachedRun(segment: number, place: number): Run | undefined {
    return this.#runs.get(`${segment}/${place}`);
  }

  /** Undefined if it isn't there: the segment has been dropped. */
  async run(segment: number, place: number): Promise<Run | undefined> {
    const cached = this.cachedRun(segment, place);
    if (cached !== undefined) return cached;
    const chunk = await this.#database.get(pairKey("chunk", segment, chunkOf(place)));
    if (chunk === undefined) return undefined;
    const run = decodeRun(segment, chunk, place);
    this.#runs.set(`${segment}/${place}`, run);
    return run;
  }

  /** Undefined if it isn't there. */
  async record(segment: number, number: number): Promise<StoredRecord | undefined> {
    const cached = this.#records.get(segment, number);
    if (cached !== undefined) return cached;
    const value = await this.#database.get(pairKey("record", segment, number));
    if (value === undefined) return undefined;
    const record = decodeRecord(value);
    this.#records.wasRead(segment, number, record);
    return record;
  }

  /**
   * Visits records in the order asked for, each as soon as it is there, so that no more than a few
   * are in memory. `places` are segment and number in turn, each record once. One that isn't there
   * is visited as undefined.
   */
  async eachRecord(
    places: readonly number[],
    visit: (index: number, record: StoredRecord | undefined) => void,
  ): Promise<void> {
    let batch = FIRST_BATCH;
    let largest = 1;
    let seen = -1;
    for (let at = 0; at < places.length; ) {
      const cached = this.#records.get(places[at] as number, places[at + 1] as number);
      if (cached !== undefined) {
        visit(at / 2, cached);
        at += 2;
        continue;
      }
      // What was seen says little about another segment: it is from another time.
      if (places[at] !== seen) batch = Math.min(batch, FIRST_BATCH);
      seen = places[at] as number;
      const end = this.#missingUntil(places, at, batch);
      largest = Math.max(largest, await this.#load(places, at, end, visit));
      batch = Math.min(batch * 2, LARGEST_BATCH, Math.ceil(BATCH_BYTES / largest));
      at = end;
    }
  }

  /**
   * The end of what must be loaded from here: at most `batch` records, and beyond the first few only
   * those of one segment, which is bounded whatever its records are like.
   */
  #missingUntil(places: readonly number[], from: number, batch: number): number {
    let end = from + 2;
    while (end < places.length && end < from + batch * 2) {
      if (end >= from + FIRST_BATCH * 2 && places[end] !== places[from]) break;
      if (this.#records.get(places[end] as number, places[end + 1] as number) !== undefined) break;
      end += 2;
    }
    return end;
  }

  /** Returns the bytes of the largest. */
  async #load(
    places: readonly number[],
    from: number,
    end: number,
    visit: (index: number, record: StoredRecord | undefined) => void,
  ): Promise<number> {
    const keys: Buffer[] = [];
    for (let at = from; at < end; at += 2) {
      keys.push(pairKey("record", places[at] as number, places[at + 1] as number));
    }
    const values = await this.#database.getMany(keys);
    let largest = 0;
    values.forEach((value, i) => {
      const at = from + i * 2;
      if (value === undefined) {
        visit(at / 2, undefined);
        return;
      }
      largest = Math.max(largest, value.length);
      const record = decodeRecord(value);
      this.#records.wasRead(places[at] as number, places[at + 1] as number, record);
      visit(at / 2, record);
    });
    return largest;
  }
}
