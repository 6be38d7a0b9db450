/**
 * What an append says beside its bodies, in bytes: needed to rebuild the index of the unsealed tail
 * when a shard is opened. All numbers are varints.
 *
 *     part (0 = no messages), index of its first message in the part, messages,
 *     queues × (name, postings), topics × (name, index + 1), receipts × (session, key × 2 + add),
 *     ended sessions, senders × (name, term, seq), progress × (queue, bytes)
 *
 * Postings are count × 2 + 1 and the first index where the indexes follow each other, else
 * count × 2 and the distance of each from the one before.
 */
import { ByteReader, ByteWriter } from "@canopy/base";
import type { Append, ReceiptChange, RetainedChange, SenderSeq } from "@canopy/store";
import { corrupt } from "./errors.ts";
import { bodyAt, type StoredRecord } from "./record.ts";

export class MetaWriter {
  readonly #out = new ByteWriter(64 * 1024);

  reset(): void {
    this.#out.reset();
  }

  /** Valid until the next change. */
  view(): Buffer {
    return this.#out.view();
  }

  /** `part` counts from 1; `base` is the append's first message in it. */
  add(append: Append, part: number, base: number): void {
    const out = this.#out;
    out.varint(part);
    out.varint(base);
    out.varint(append.ends.length);
    out.varint(append.postings.size);
    for (const [queue, indexes] of append.postings) {
      out.string(queue);
      this.#indexes(indexes);
    }
    out.varint(append.retained.length);
    for (const { topic, index } of append.retained) {
      out.string(topic);
      out.varint(index + 1);
    }
    this.#rest(append);
  }

  #rest(append: Append): void {
    const out = this.#out;
    out.varint(append.receipts.length);
    for (const { session, key, add } of append.receipts) {
      out.varint(session);
      out.varint(key * 2 + (add ? 1 : 0));
    }
    out.varint(append.endedSessions.length);
    for (const session of append.endedSessions) out.varint(session);
    out.varint(append.senders.length);
    for (const { sender, term, seq } of append.senders) {
      out.string(sender);
      out.varint(term);
      out.varint(seq);
    }
    out.varint(append.progress.size);
    for (const [queue, value] of append.progress) {
      out.string(queue);
      out.bytes(value);
    }
  }

  #indexes(indexes: readonly number[]): void {
    const out = this.#out;
    const count = indexes.length;
    const first = indexes[0] ?? 0;
    if ((indexes[count - 1] ?? 0) - first === count - 1) {
      out.varint(count * 2 + 1);
      out.varint(first);
      return;
    }
    out.varint(count * 2);
    let previous = 0;
    for (const index of indexes) {
      out.varint(index - previous);
      previous = index;
    }
  }
}

/** The appends of a record, as they were given. Throws `corrupt`. */
export function appendsOf(record: StoredRecord): Append[] {
  const reader = new ByteReader(record.bytes, record.metaStart, record.metaEnd);
  const appends: Append[] = [];
  try {
    while (reader.remaining > 0) appends.push(readAppend(reader, record));
  } catch (error) {
    throw corrupt(`a record's meta cannot be read: ${(error as Error).message}`);
  }
  return appends;
}

function readAppend(reader: ByteReader, record: StoredRecord): Append {
  const part = record.parts[reader.varint() - 1];
  const base = reader.varint();
  const count = reader.varint();
  const postings = new Map<string, number[]>();
  for (let left = reader.varint(); left > 0; left--) {
    postings.set(reader.string(), readIndexes(reader));
  }
  const messages =
    part === undefined
      ? { first: 0, bodies: new Uint8Array(0), ends: [], expiries: [] }
      : messagesOf(record, part, base, count);
  return { ...messages, postings, ...readRest(reader) };
}

function messagesOf(
  record: StoredRecord,
  part: StoredRecord["parts"][number],
  base: number,
  count: number,
): Pick<Append, "first" | "bodies" | "ends" | "expiries"> {
  const begin = base === 0 ? 0 : (part.ends[base - 1] as number);
  const ends = Array.from(part.ends.subarray(base, base + count), (end) => end - begin);
  const last = bodyAt(record, part, base + count - 1);
  const start = record.bytes.byteOffset + part.start + begin;
  return {
    first: part.first + base,
    bodies: new Uint8Array(record.bytes.buffer, start, last.byteOffset + last.length - start),
    ends,
    expiries: Array.from({ length: count }, (_, i) => part.expiries?.[base + i] ?? 0),
  };
}

function readIndexes(reader: ByteReader): number[] {
  const coded = reader.varint();
  const count = Math.floor(coded / 2);
  const indexes: number[] = [];
  if (coded % 2 === 1) {
    const first = reader.varint();
    for (let i = 0; i < count; i++) indexes.push(first + i);
    return indexes;
  }
  for (let i = 0, index = 0; i < count; i++) indexes.push((index += reader.varint()));
  return indexes;
}

function readRest(
  reader: ByteReader,
): Pick<Append, "retained" | "receipts" | "endedSessions" | "senders" | "progress"> {
  const retained: RetainedChange[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    retained.push({ topic: reader.string(), index: reader.varint() - 1 });
  }
  const receipts: ReceiptChange[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const session = reader.varint();
    const coded = reader.varint();
    receipts.push({ session, key: Math.floor(coded / 2), add: coded % 2 === 1 });
  }
  const endedSessions: number[] = [];
  for (let left = reader.varint(); left > 0; left--) endedSessions.push(reader.varint());
  const senders: SenderSeq[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    senders.push({ sender: reader.string(), term: reader.varint(), seq: reader.varint() });
  }
  const progress = new Map<string, Uint8Array>();
  for (let left = reader.varint(); left > 0; left--) progress.set(reader.string(), reader.bytes());
  return { retained, receipts, endedSessions, senders, progress };
}
