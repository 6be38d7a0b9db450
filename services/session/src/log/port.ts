/** What a replicated log and the state machine behind it ask of each other. */

export interface CommandLog {
  /**
   * Settles with what the state machine answered, after the command is safe and applied. Commands
   * are applied in the order in which they were proposed. Rejects with a SessionError:
   * `unavailable` (nothing was applied), `overloaded` (too much waits) or `closed`.
   */
  propose(command: Uint8Array): Promise<unknown>;
}

export interface StateMachine {
  /** Deterministic. Throws for bytes that it can't read alone: such a log is not started from. */
  apply(command: Uint8Array): unknown;
  /** Called after the commands of one write have been applied and before they are answered. */
  applied(): void;
  /** The state as it is now; it is read bit by bit while commands go on being applied. */
  snapshot(): IterableIterator<Uint8Array>;
  /** Starts from a snapshot instead of from nothing. */
  restore(): SnapshotSink;
}

export interface SnapshotSink {
  push(chunk: Uint8Array): void;
  /** After the last chunk; until then the state machine is as it was. */
  finish(): void;
}
