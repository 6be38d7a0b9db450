/** The last sequence of each client that was applied: part of the replicated state. */
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import { asBuffer } from "./command.ts";

/** Clients in one chunk of a snapshot, and changes that are merged at a time. */
const CHUNK = 4096;
const VERSION = 1;
const ENDED = 0;

export class Origins {
  #last = new Map<number, number>();
  /** What changed since `#last` is being read for a snapshot, and is not in it yet. */
  readonly #changes = new Map<number, number>();
  #frozen = false;

  /** 0 if nothing of the client was applied. */
  last(client: number): number {
    return this.#changes.get(client) ?? this.#last.get(client) ?? ENDED;
  }

  applied(client: number, sequence: number): void {
    if (this.#frozen) {
      this.#changes.set(client, sequence);
    } else {
      this.#changes.delete(client);
      if (sequence === ENDED) this.#last.delete(client);
      else this.#last.set(client, sequence);
    }
  }

  end(client: number): void {
    this.applied(client, ENDED);
  }

  /** The table as it is now, in chunks, however it changes until the last is taken or thaw(). */
  freeze(): IterableIterator<Uint8Array> {
    this.merge(Number.POSITIVE_INFINITY);
    this.#frozen = true;
    return chunksOf(this.#last);
  }

  /** Called when the chunks are taken or not wanted any more. */
  thaw(): void {
    this.#frozen = false;
  }

  /** Call now and then: brings what changed meanwhile into the table, in steps. */
  merge(limit: number = CHUNK): void {
    if (this.#frozen || this.#changes.size === 0) return;
    let left = limit;
    for (const [client, sequence] of this.#changes) {
      if (left-- <= 0) return;
      this.applied(client, sequence);
    }
  }

  /** The table that a snapshot begins with takes the place of this one. */
  replace(table: Map<number, number>): void {
    this.#last = table;
    this.#changes.clear();
    this.#frozen = false;
  }
}

function* chunksOf(table: ReadonlyMap<number, number>): Generator<Uint8Array, undefined> {
  const writer = new ByteWriter();
  writer.u8(VERSION);
  writer.varint(table.size);
  let count = 0;
  for (const [client, sequence] of table) {
    if (count % CHUNK === 0) yield writer.take();
    writer.varint(client);
    writer.varint(sequence);
    count++;
  }
  yield writer.take();
  return undefined;
}

/** Takes the chunks of freeze() back. */
export class OriginsReader {
  readonly table: Map<number, number> = new Map();
  #size: number | undefined;

  /** What comes next is not a part of the table. */
  get whole(): boolean {
    return this.table.size === this.#size;
  }

  /** Throws a DecodeError. */
  push(chunk: Uint8Array): void {
    const reader = new ByteReader(asBuffer(chunk));
    if (this.#size === undefined) {
      const version = reader.u8();
      if (version !== VERSION) throw new DecodeError(`a snapshot of version ${version}`);
      this.#size = reader.varint();
    }
    while (reader.remaining > 0) this.table.set(reader.varint(), reader.varint());
    if (this.table.size > this.#size) throw new DecodeError("more clients than announced");
  }
}
