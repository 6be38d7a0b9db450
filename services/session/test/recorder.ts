/** A state machine that remembers every command it was given: the whole state is the list. */
import type { SnapshotSink, StateMachine } from "../src/log/port.ts";

const PER_CHUNK = 100;

export class Recorder implements StateMachine {
  commands: string[] = [];
  batches = 0;

  apply(command: Uint8Array): unknown {
    this.commands.push(Buffer.from(command).toString("latin1"));
    return this.commands.length;
  }

  applied(): void {
    this.batches++;
  }

  snapshot(): IterableIterator<Uint8Array> {
    return chunksOf(this.commands.slice());
  }

  restore(): SnapshotSink {
    const restored: string[] = [];
    return {
      push: (chunk) => restored.push(...(JSON.parse(Buffer.from(chunk).toString()) as string[])),
      finish: () => {
        this.commands = restored;
      },
    };
  }
}

function* chunksOf(commands: readonly string[]): IterableIterator<Uint8Array> {
  for (let i = 0; i < commands.length; i += PER_CHUNK) {
    yield Buffer.from(JSON.stringify(commands.slice(i, i + PER_CHUNK)));
  }
}
