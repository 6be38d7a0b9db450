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
/** Records asked for at once: few while they are large, more while they are small. */
const SMALLEST_BATCH = 8;
const LARGEST_FIRST_BATCH = 64;
const LARGEST_BATCH = 256;
const BATCH_BYTES = 2 ** 20;

/** Reads records and runs, through caches. */
export class DiskReader {
  readonly #database: Database;
  readonly #records: RecordCache;
  readonly #runs: ByteCache<string, Run> = new ByteCache(
    RUN_BYTES,
    (run) => run.offsets.length * RUN_ENTRY + RUN_OVERHEAD,
    true,
  );
  /** Bytes of a record in the last batch, on average. */
  #recordBytes = BATCH_BYTES;

  constructor(database: Database, records: RecordCache) {
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
    const fitting = Math.floor(BATCH_BYTES / this.#recordBytes);
    let batch = Math.max(SMALLEST_BATCH, Math.min(fitting, LARGEST_FIRST_BATCH));
    for (let at = 0; at < places.length; ) {
      const cached = this.#records.get(places[at] as number, places[at + 1] as number);
      if (cached !== undefined) {
        visit(at / 2, cached);
        at += 2;
        continue;
      }
      const end = this.#missingUntil(places, at, batch);
      const bytes = await this.#load(places, at, end, visit);
      if (bytes < BATCH_BYTES) batch = Math.min(batch * 2, LARGEST_BATCH);
      at = end;
    }
  }

  /** The end of what must be loaded from here, at most `batch` records. */
  #missingUntil(places: readonly number[], from: number, batch: number): number {
    let end = from + 2;
    while (end < places.length && end < from + batch * 2) {
      if (this.#records.get(places[end] as number, places[end + 1] as number) !== undefined) break;
      end += 2;
    }
    return end;
  }

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
    let bytes = 0;
    values.forEach((value, i) => {
      const at = from + i * 2;
      if (value === undefined) {
        visit(at / 2, undefined);
        return;
      }
      bytes += value.length;
      const record = decodeRecord(value);
      this.#records.wasRead(places[at] as number, places[at + 1] as number, record);
      visit(at / 2, record);
    });
    this.#recordBytes = Math.max(1, bytes / keys.length);
    return bytes;
  }
}
