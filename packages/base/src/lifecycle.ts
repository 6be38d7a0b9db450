/** Something that runs between start and stop. Each is called once. */
export interface Lifecycle {
  /** Resolves when the part is ready for those that depend on it. */
  start(): Promise<void>;
  /** Resolves when nothing of the part runs any more; it must not need a successful start. */
  stop(): Promise<void>;
}

/** Parts that depend on those before them: started in order, stopped in reverse. */
export class Stack implements Lifecycle {
  readonly #parts: Lifecycle[] = [];
  #started: Lifecycle[] = [];

  /** Adds a part; returns it, so that it can be made and added in one line. */
  add<T extends Lifecycle>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  /** When a part fails to start, it and those before it are stopped and its error is thrown. */
  async start(): Promise<void> {
    for (const part of this.#parts) {
      this.#started.push(part);
      try {
        await part.start();
      } catch (error) {
        await this.#unwind([error]);
      }
    }
  }

  /** Every part is stopped, whatever the others throw; then their errors are thrown. */
  async stop(): Promise<void> {
    await this.#unwind([]);
  }

  async #unwind(errors: unknown[]): Promise<void> {
    const started = this.#started.reverse();
    this.#started = [];
    for (const part of started) {
      try {
        await part.stop();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "several parts failed");
  }
}
