/** Registers and lists by number: the state machine of the tests with processes. */
import type { SnapshotSink, StateMachine } from "@canopy/raft";

export type Command =
  | { readonly kind: "write"; readonly key: number; readonly value: number }
  | { readonly kind: "cas"; readonly key: number; readonly from: number; readonly value: number }
  | { readonly kind: "append"; readonly key: number; readonly value: number };

export interface State {
  readonly registers: Record<number, number>;
  readonly lists: Record<number, number[]>;
}

export class RegistersMachine implements StateMachine {
  state: State = { registers: {}, lists: {} };

  /** Of a compare-and-set 1 where it set, else 0; of an append the value's place. */
  apply(bytes: Uint8Array): number {
    const command = JSON.parse(Buffer.from(bytes).toString()) as Command;
    const { registers, lists } = this.state;
    const { key, value } = command;
    if (command.kind === "append") return (lists[key] ??= []).push(value) - 1;
    if (command.kind === "cas" && (registers[key] ?? 0) !== command.from) return 0;
    registers[key] = value;
    return 1;
  }

  applied(): void {}

  /** All at once: it is small. */
  *snapshot(): Generator<Uint8Array, undefined> {
    yield Buffer.from(JSON.stringify(this.state));
    return undefined;
  }

  restore(): SnapshotSink {
    const chunks: Uint8Array[] = [];
    return {
      push: (chunk) => chunks.push(Buffer.from(chunk)),
      finish: () => {
        this.state = JSON.parse(Buffer.concat(chunks).toString()) as State;
      },
    };
  }
}
