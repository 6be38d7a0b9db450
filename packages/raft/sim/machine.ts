/** The replicated state: registers, lists, and how far each client is. It tells what it applies. */
import { ByteReader, ByteWriter } from "@canopy/base";
import type { LogIndex } from "../src/core/types.ts";
import type { SnapshotSink, StateMachine } from "../src/host/port.ts";
import { type Command, decodeCommand } from "./commands.ts";
import { Violation } from "./violation.ts";

export interface ApplyObserver {
  onApply(
    index: LogIndex,
    command: Command,
    bytes: Uint8Array,
    result: number,
    digest: number,
  ): void;
  onRestore(index: LogIndex, digest: number): void;
  onSnapshot(index: LogIndex, digest: number): void;
  /** A command that must not come; also thrown. */
  onWrong(violation: Violation): void;
}

/** A size at which a snapshot of a few values has several chunks. */
const CHUNK = 48;

export class Machine implements StateMachine {
  #registers = new Map<number, number>();
  #lists = new Map<number, readonly number[]>();
  #sequences = new Map<number, number>();
  /** Of the last command; the same on every replica that applied the same. */
  #digest = 0;
  #index = 0;
  readonly #observer: ApplyObserver;

  constructor(observer: ApplyObserver) {
    this.#observer = observer;
  }

  get digest(): number {
    return this.#digest;
  }

  /** Of the newest command. */
  get index(): LogIndex {
    return this.#index;
  }

  register(key: number): number {
    return this.#registers.get(key) ?? 0;
  }

  list(key: number): readonly number[] {
    return this.#lists.get(key) ?? [];
  }

  apply(bytes: Uint8Array, index: LogIndex): unknown {
    const command = decodeCommand(bytes);
    const { client, sequence } = command;
    if (index <= this.#index) {
      this.#wrong("applied once", `index ${index} after ${this.#index}`);
    }
    if (sequence > 0) {
      const last = this.#sequences.get(client) ?? 0;
      if (sequence !== last + 1) {
        const where = `client ${client}: ${sequence} after ${last} at index ${index}`;
        this.#wrong("at most once and in order per client", where);
      }
      this.#sequences.set(client, sequence);
    }
    const result = this.#perform(command);
    this.#index = index;
    this.#mix(index);
    this.#mix(client);
    this.#mix(sequence);
    this.#mix(result);
    this.#observer.onApply(index, command, bytes, result, this.#digest);
    return result;
  }

  applied(): void {}

  snapshot(): IterableIterator<Uint8Array> {
    this.#observer.onSnapshot(this.#index, this.#digest);
    const head = new ByteWriter();
    head.varint(this.#index);
    head.u32(this.#digest);
    // Copies of the maps: commands go on being applied while the chunks are read.
    const maps = [[...this.#registers], [...this.#sequences]];
    return encodeState(head, maps, [...this.#lists]);
  }

  restore(): SnapshotSink {
    const chunks: Uint8Array[] = [];
    return {
      push: (chunk) => {
        chunks.push(Uint8Array.from(chunk));
      },
      finish: () => {
        this.#read(new ByteReader(Buffer.concat(chunks)));
        this.#observer.onRestore(this.#index, this.#digest);
      },
    };
  }

  #read(reader: ByteReader): void {
    this.#index = reader.varint();
    this.#digest = reader.u32();
    this.#registers = readMap(reader);
    this.#sequences = readMap(reader);
    this.#lists = new Map();
    for (let left = reader.varint(); left > 0; left--) {
      const key = reader.varint();
      const values: number[] = [];
      for (let size = reader.varint(); size > 0; size--) values.push(reader.varint());
      this.#lists.set(key, values);
    }
    reader.expectEnd();
  }

  /** Write: the value; cas: 1 or 0; append: how many the list had. */
  #perform({ operation }: Command): number {
    switch (operation.kind) {
      case "write":
        this.#registers.set(operation.key, operation.value);
        return operation.value;
      case "cas": {
        if (this.register(operation.key) !== operation.from) return 0;
        this.#registers.set(operation.key, operation.value);
        return 1;
      }
      case "append": {
        const list = this.list(operation.key);
        this.#lists.set(operation.key, [...list, operation.value]);
        return list.length;
      }
    }
  }

  #wrong(invariant: string, detail: string): never {
    const violation = new Violation(invariant, detail);
    this.#observer.onWrong(violation);
    throw violation;
  }

  #mix(value: number): void {
    this.#digest = Math.imul(this.#digest ^ value, 0x01000193) >>> 0;
  }
}

function* encodeState(
  writer: ByteWriter,
  maps: readonly (readonly [number, number][])[],
  lists: readonly [number, readonly number[]][],
): IterableIterator<Uint8Array> {
  for (const entries of maps) {
    writer.varint(entries.length);
    for (const [key, value] of entries) {
      writer.varint(key);
      writer.varint(value);
      if (writer.length >= CHUNK) yield writer.take();
    }
  }
  writer.varint(lists.length);
  for (const [key, list] of lists) {
    writer.varint(key);
    writer.varint(list.length);
    for (const value of list) writer.varint(value);
    if (writer.length >= CHUNK) yield writer.take();
  }
  yield writer.take();
}

function readMap(reader: ByteReader): Map<number, number> {
  const map = new Map<number, number>();
  for (let left = reader.varint(); left > 0; left--) {
    const key = reader.varint();
    map.set(key, reader.varint());
  }
  return map;
}
