/** A state machine that keeps what it was told: each command is a line, its answer the number of lines. */
import type { SnapshotSink, StateMachine } from "../../src/host/port.ts";

const PER_CHUNK = 16;

export class ListMachine implements StateMachine {
  lines: string[] = [];
  batches = 0;
  /** Lines that apply() throws for. */
  poison: string | undefined;
  restored = 0;

  apply(command: Uint8Array): unknown {
    const line = Buffer.from(command).toString();
    if (line === this.poison) throw new Error(`can't read "${line}"`);
    this.lines.push(line);
    return this.lines.length;
  }

  applied(): void {
    this.batches++;
  }

  *snapshot(): Generator<Uint8Array, undefined> {
    // What is pushed later comes behind.
    const { lines } = this;
    const size = lines.length;
    for (let at = 0; at < size; at += PER_CHUNK) {
      yield Buffer.from(JSON.stringify(lines.slice(at, Math.min(at + PER_CHUNK, size))));
    }
    return undefined;
  }

  restore(): SnapshotSink {
    const lines: string[] = [];
    return {
      push: (chunk) => {
        lines.push(...(JSON.parse(Buffer.from(chunk).toString()) as string[]));
      },
      finish: () => {
        this.lines = lines;
        this.restored++;
      },
    };
  }
}
