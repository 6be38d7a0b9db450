/** The state machine of a group together with the table of sequences: what a snapshot holds. */
import { asBuffer, decodeCommand } from "./command.ts";
import { Origins, OriginsReader } from "./origins.ts";
import type { Answer, SnapshotSink, StateMachine } from "./port.ts";

export class ReplicatedMachine {
  readonly #machine: StateMachine;
  readonly #origins = new Origins();
  #taking: IterableIterator<Uint8Array> | undefined;

  constructor(machine: StateMachine) {
    this.#machine = machine;
  }

  /** Throws what the state machine throws, and a DecodeError. */
  apply(data: Uint8Array, index: number): Answer {
    const command = decodeCommand(data);
    switch (command.type) {
      case "plain":
        return { type: "committed", index, result: this.#machine.apply(command.bytes, index) };
      case "endClient":
        this.#origins.end(command.client);
        return { type: "committed", index, result: undefined };
      case "origin": {
        const { client, sequence } = command.origin;
        const last = this.#origins.last(client);
        if (sequence <= last) return { type: "repeated" };
        if (sequence > last + 1) return { type: "gap", last };
        this.#origins.applied(client, sequence);
        return { type: "committed", index, result: this.#machine.apply(command.bytes, index) };
      }
    }
  }

  /** After each batch. */
  applied(): void {
    this.#origins.merge();
    this.#machine.applied();
  }

  /** The state as it is now; one at a time, each ended by snapshotEnded(). */
  snapshot(): IterableIterator<Uint8Array> {
    const state = this.#machine.snapshot();
    this.#taking = state;
    // A generator looks at the state when its first chunk is taken: that has to be now.
    return this.#chunks(this.#origins.freeze(), state.next(), state);
  }

  /** It is whole, or not wanted any more. */
  snapshotEnded(): void {
    this.#origins.thaw();
    this.#taking?.return?.();
    this.#taking = undefined;
  }

  /** The state machine is as it was until finish(). */
  restore(): SnapshotSink {
    const reader = new OriginsReader();
    const sink = this.#machine.restore();
    return {
      push: (chunk) => {
        if (reader.whole) sink.push(chunk);
        else reader.push(asBuffer(chunk));
      },
      finish: () => {
        if (!reader.whole) throw new Error("the snapshot ends within the table of sequences");
        sink.finish();
        this.#origins.replace(reader.table);
      },
    };
  }

  *#chunks(
    table: IterableIterator<Uint8Array>,
    first: IteratorResult<Uint8Array>,
    rest: IterableIterator<Uint8Array>,
  ): Generator<Uint8Array, undefined> {
    yield* table;
    this.#origins.thaw();
    if (first.done !== true) {
      yield first.value;
      yield* rest;
    }
    return undefined;
  }
}
