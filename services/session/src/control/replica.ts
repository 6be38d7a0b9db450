/** The control state as the group's state machine: commands come in by the log alone. */
import type { Logger } from "@canopy/base";
import { ControlState, decodeCommand, type Result, SnapshotReader } from "@canopy/control";
import type { SnapshotSink, StateMachine } from "@canopy/raft";

/** A bug of ours: it happens on every replica and at every replay, so it is an answer like any other. */
export class Failure {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

export type Outcome = { readonly result: Result; readonly version: number } | Failure;

export class Replica implements StateMachine {
  readonly #logger: Logger;
  readonly #onApplied: () => void;
  #state = ControlState.create();

  /** `onApplied` is called when the state may have changed, not while it does. */
  constructor(logger: Logger, onApplied: () => void) {
    this.#logger = logger;
    this.#onApplied = onApplied;
  }

  get state(): ControlState {
    return this.#state;
  }

  apply(bytes: Uint8Array, index: number): Outcome {
    const command = decodeCommand(bytes);

    try {
      const { result } = this.#state.apply(command, index);
      return { result, version: this.#state.version };
    } catch (error) {
      this.#logger.error({ command: command.type, error: String(error) }, "control command failed");
      return new Failure(error);
    }
  }

  applied(): void {
    this.#onApplied();
  }

  snapshot(): IterableIterator<Uint8Array> {
    return this.#state.snapshot();
  }

  restore(): SnapshotSink {
    const reader = new SnapshotReader();
    return {
      push: (chunk) => reader.push(chunk),
      finish: () => {
        this.#state = reader.finish();
        this.#onApplied();
      },
    };
  }
}
