/** The session state as the group's state machine: commands come in by the log alone. */
import type { Logger } from "@canopy/base";
import type { SnapshotSink, StateMachine } from "@canopy/raft";
import {
  decodeCommand,
  type EffectSink,
  noEffects,
  type Placement,
  type Result,
  SessionState,
  SnapshotReader,
} from "@canopy/session";

/** A bug of ours: it happens on every replica and at every replay, so it is an answer like any other. */
export class Failure {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

export class Replica implements StateMachine {
  readonly #logger: Logger;
  readonly #onApplied: () => void;
  #state: SessionState;

  constructor(placement: Placement, logger: Logger, onApplied: () => void) {
    this.#logger = logger;
    this.#onApplied = onApplied;
    this.#state = SessionState.create(placement);
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The leader acts on what follows from a command; the others only know it. */
  lead(effects: EffectSink): void {
    this.#state.effects = effects;
  }

  follow(): void {
    this.#state.effects = noEffects;
  }

  apply(bytes: Uint8Array): Result | Failure {
    const command = decodeCommand(bytes);
    try {
      return this.#state.apply(command);
    } catch (error) {
      this.#logger.error({ command: command.type, error: String(error) }, "session command failed");
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
        const state = reader.finish();
        checkPlacement(this.#state.placement, state.placement);
        this.#state = state;
      },
    };
  }
}

/** Where a client's session is, and what its cursors mean, follows from these. */
function checkPlacement(expected: Placement, found: Placement): void {
  for (const key of ["shards", "groups", "group"] as const) {
    if (found[key] === expected[key]) continue;
    throw new Error(`a snapshot was made for ${key}=${found[key]}, not ${expected[key]}`);
  }
}
