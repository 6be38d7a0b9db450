/** The session state behind its log: commands go in by the log alone, effects come out. */
import type { Logger } from "@canopy/base";
import {
  type Command,
  decodeCommand,
  type EffectSink,
  encodeCommand,
  noEffects,
  type Result,
  type Results,
  SessionState,
  SnapshotReader,
} from "@canopy/session";
import type { GroupClock } from "./group-clock.ts";
import type { CommandLog, SnapshotSink, StateMachine } from "./log/port.ts";

type Untimed<C> = C extends unknown ? Omit<C, "at"> : never;

/** A command without its time, which it gets when it is proposed. */
export type Proposal = Untimed<Command>;

export type Propose = <P extends Proposal>(proposal: P) => Promise<Results[P["type"]]>;

/** A bug of ours: it happens again at every replay, so it is an answer like any other. */
class Failure {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

export class Replica implements StateMachine {
  readonly #clock: GroupClock;
  readonly #logger: Logger;
  readonly #onApplied: () => void;
  #state: SessionState;

  constructor(shards: number, clock: GroupClock, logger: Logger, onApplied: () => void) {
    this.#clock = clock;
    this.#logger = logger;
    this.#onApplied = onApplied;
    this.#state = SessionState.create(shards, noEffects);
  }

  get state(): SessionState {
    return this.#state;
  }

  /** After recovery: effects and the clock are live from here on. */
  goLive(effects: EffectSink): void {
    this.#state.effects = effects;
    this.#clock.resume(this.#state.clock);
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
        this.#state = reader.finish();
      },
    };
  }

  /** Gives the command its time and waits until it is committed and applied. */
  async propose<P extends Proposal>(log: CommandLog, proposal: P): Promise<Results[P["type"]]> {
    const command = { ...proposal, at: this.#clock.now() } as unknown as Command;
    const result = await log.propose(encodeCommand(command));
    if (result instanceof Failure) throw result.error;
    return result as Results[P["type"]];
  }
}
