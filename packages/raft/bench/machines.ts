/** The state machines of the benchmark and of the tests with processes. */
import type { SnapshotSink, StateMachine } from "../src/host/port.ts";

/** Counts: what it costs is nothing, so what is measured is Raft. */
export class CountMachine implements StateMachine {
  count = 0;

  apply(): unknown {
    return ++this.count;
  }

  applied(): void {}

  *snapshot(): Generator<Uint8Array, undefined> {
    yield Buffer.from(String(this.count));
    return undefined;
  }

  restore(): SnapshotSink {
    let count = 0;
    return {
      push: (chunk) => {
        count = Number(Buffer.from(chunk).toString());
      },
      finish: () => {
        this.count = count;
      },
    };
  }
}

/** Keeps every command, as a line. */
export class LinesMachine implements StateMachine {
  lines: string[] = [];

  apply(command: Uint8Array): unknown {
    return this.lines.push(Buffer.from(command).toString());
  }

  applied(): void {}

  *snapshot(): Generator<Uint8Array, undefined> {
    const { lines } = this;
    const size = lines.length;
    for (let at = 0; at < size; at += 100) {
      yield Buffer.from(lines.slice(at, Math.min(at + 100, size)).join("\n"));
    }
    return undefined;
  }

  restore(): SnapshotSink {
    const lines: string[] = [];
    return {
      push: (chunk) => {
        lines.push(...Buffer.from(chunk).toString().split("\n"));
      },
      finish: () => {
        this.lines = lines;
      },
    };
  }
}
