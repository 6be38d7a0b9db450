import type { StoredRecord } from "./record.ts";
import { MAX_RECORDS } from "./segments.ts";

/** A cache bounded by bytes: the oldest entry goes first. */
export class ByteCache<K, T> {
  readonly #limit: number;
  readonly #sizeOf: (value: T) => number;
  readonly #touch: boolean;
  readonly #entries = new Map<K, T>();
  #bytes = 0;

  /** With `touch`, using an entry makes it the youngest. */
  constructor(limit: number, sizeOf: (value: T) => number, touch: boolean) {
    this.#limit = limit;
    this.#sizeOf = sizeOf;
    this.#touch = touch;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: K): T | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined && this.#touch) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: K, value: T): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#bytes += this.#sizeOf(value);
    if (this.#bytes <= this.#limit) return;
    for (const oldest of this.#entries.keys()) {
      this.delete(oldest);
      if (this.#bytes <= this.#limit) return;
    }
  }

  delete(key: K): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= this.#sizeOf(value);
  }
}

/** Room for records that were read from disk, beside the recent ones. */
const READ_BYTES = 16 * 2 ** 20;
/** What a record takes beside its bytes, roughly. */
const OVERHEAD = 400;

/** Records in memory: the recent ones, which were just written, and those read last. */
export class RecordCache {
  readonly #recent: ByteCache<number, StoredRecord>;
  readonly #read: ByteCache<number, StoredRecord>;

  constructor(recentBytes: number) {
    const sizeOf = (record: StoredRecord) => record.bytes.length + OVERHEAD;
    this.#recent = new ByteCache(recentBytes, sizeOf, false);
    this.#read = new ByteCache(READ_BYTES, sizeOf, true);
  }

  get(segment: number, record: number): StoredRecord | undefined {
    const key = segment * MAX_RECORDS + record;
    return this.#recent.get(key) ?? this.#read.get(key);
  }

  written(segment: number, number: number, record: StoredRecord): void {
    this.#recent.set(segment * MAX_RECORDS + number, record);
  }

  wasRead(segment: number, number: number, record: StoredRecord): void {
    this.#read.set(segment * MAX_RECORDS + number, record);
  }

  /** The segment is gone. */
  forget(segment: number, records: number): void {
    for (let number = 0; number < records; number++) {
      const key = segment * MAX_RECORDS + number;
      this.#recent.delete(key);
      this.#read.delete(key);
    }
  }
}
