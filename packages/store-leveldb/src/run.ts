/**
 * Runs: which messages of one queue are in one sealed segment. A chunk holds the runs of many
 * queues, one behind the other:
 *
 *     name, messages, bytes of all, first offset, last offset, bytes of the list,
 *     list: per message offset, record number, size; the first two as distance from the one before
 */
import { ByteReader, ByteWriter } from "@canopy/base";
import type { Offset } from "@canopy/store";
import { corrupt } from "./errors.ts";

/** Messages per run at most: a longer one is cut, so that a reader decodes little at a time. */
export const RUN_LENGTH = 4096;
/** A chunk is ended behind the run with which it reaches this size. */
export const CHUNK_BYTES: number = 64 * 1024;
/** A place is chunk × this + position in the chunk. */
const CHUNK_PLACES = 2 ** 32;

/** Parallel arrays, one element per message. */
export interface Run {
  readonly segment: number;
  readonly offsets: Float64Array;
  readonly records: Uint32Array;
  readonly sizes: Uint32Array;
}

export interface RunHead {
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
  readonly first: Offset;
  readonly last: Offset;
}

/** Collects the messages of one run, then writes it. */
export class RunWriter {
  readonly #out = new ByteWriter(CHUNK_BYTES + 4096);
  readonly #list = new ByteWriter();
  #chunk = 0;
  #messages = 0;
  #bytes = 0;
  #first: Offset = 0;
  #last: Offset = 0;
  #record = 0;

  /** Number of the chunk being filled. */
  get chunk(): number {
    return this.#chunk;
  }

  get messages(): number {
    return this.#messages;
  }

  get first(): Offset {
    return this.#first;
  }

  /** Offsets and record numbers ascend. */
  add(offset: Offset, record: number, size: number): void {
    const list = this.#list;
    if (this.#messages === 0) this.#first = offset;
    list.varint(this.#messages === 0 ? 0 : offset - this.#last);
    list.varint(record - this.#record);
    list.varint(size);
    this.#last = offset;
    this.#record = record;
    this.#messages++;
    this.#bytes += size;
  }

  /** Ends the run; returns its place. */
  end(name: string): number {
    const out = this.#out;
    const place = this.#chunk * CHUNK_PLACES + out.length;
    out.string(name);
    out.varint(this.#messages);
    out.varint(this.#bytes);
    out.varint(this.#first);
    out.varint(this.#last);
    out.bytes(this.#list.view());
    this.#list.reset();
    this.#messages = 0;
    this.#bytes = 0;
    this.#record = 0;
    return place;
  }

  /** Whether the chunk is large enough to be written. */
  get full(): boolean {
    return this.#out.length >= CHUNK_BYTES;
  }

  /** Ends the chunk; undefined if there is nothing in it. */
  take(): Buffer | undefined {
    if (this.#out.length === 0) return undefined;
    this.#chunk++;
    return this.#out.take();
  }
}

export function chunkOf(place: number): number {
  return Math.floor(place / CHUNK_PLACES);
}

/** Calls with each run of a chunk and its place. Throws `corrupt`. */
export function eachRun(
  chunk: Buffer,
  number: number,
  visit: (head: RunHead, place: number) => void,
): void {
  const reader = new ByteReader(chunk);
  try {
    while (reader.remaining > 0) {
      const place = number * CHUNK_PLACES + reader.position;
      const head = readHead(reader);
      reader.skip(reader.varint());
      visit(head, place);
    }
  } catch (error) {
    throw corrupt(`chunk ${number} cannot be read: ${(error as Error).message}`);
  }
}

function readHead(reader: ByteReader): RunHead {
  return {
    name: reader.string(),
    messages: reader.varint(),
    bytes: reader.varint(),
    first: reader.varint(),
    last: reader.varint(),
  };
}

/** Throws `corrupt`. */
export function decodeRun(segment: number, chunk: Buffer, place: number): Run {
  try {
    const reader = new ByteReader(chunk, place % CHUNK_PLACES);
    const { messages, first } = readHead(reader);
    reader.varint();
    const offsets = new Float64Array(messages);
    const records = new Uint32Array(messages);
    const sizes = new Uint32Array(messages);
    let offset = first;
    let record = 0;
    for (let i = 0; i < messages; i++) {
      offsets[i] = offset += reader.varint();
      records[i] = record += reader.varint();
      sizes[i] = reader.varint();
    }
    return { segment, offsets, records, sizes };
  } catch (error) {
    throw corrupt(`a run of segment ${segment} cannot be read: ${(error as Error).message}`);
  }
}

/** Index of the first message above this offset. */
export function aboveInRun(run: Run, offset: Offset): number {
  const { offsets } = run;
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
