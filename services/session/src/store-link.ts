import { Deferred } from "@canopy/base";
import { type RouteSink, SessionError } from "@canopy/session";

/** A store process that this group serves, until it is down. */
export class StoreLink {
  readonly incarnation: number;
  readonly #find: () => RouteSink | undefined;
  readonly #calls = new Set<Deferred<unknown>>();
  /** Calls that wait until it is known where it is. */
  readonly #waiting: Deferred[] = [];
  #sink: RouteSink | undefined;
  #isDown = false;

  /** `find`: undefined while it is not known where the process is. */
  constructor(incarnation: number, find: () => RouteSink | undefined) {
    this.incarnation = incarnation;
    this.#find = find;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** Whether it is known where the process is: from then on it can be called. */
  get isKnown(): boolean {
    this.#sink ??= this.#find();
    return this.#sink !== undefined;
  }

  /** What a dead process was asked it never answers: its end rejects that. */
  async call<T>(ask: (sink: RouteSink) => Promise<T>): Promise<T> {
    if (!this.#isDown && !this.isKnown) await this.#becomesKnown();
    if (this.#isDown) throw gone();
    const sink = this.#sink as RouteSink;
    const answer = new Deferred<T>();
    this.#calls.add(answer as Deferred<unknown>);
    ask(sink).then(
      (value) => answer.resolve(value),
      (error: unknown) => answer.reject(error),
    );
    try {
      return await answer.promise;
    } finally {
      this.#calls.delete(answer as Deferred<unknown>);
    }
  }

  /** More is known of the cluster. */
  look(): void {
    if (this.#waiting.length === 0 || !this.isKnown) return;
    for (const known of this.#waiting.splice(0)) known.resolve();
  }

  down(): void {
    this.#isDown = true;
    for (const known of this.#waiting.splice(0)) known.reject(gone());
    for (const answer of this.#calls) answer.reject(gone());
  }

  async #becomesKnown(): Promise<void> {
    const known = new Deferred();
    this.#waiting.push(known);
    await known.promise;
  }
}

function gone(): SessionError {
  return new SessionError("unavailable", "the store process is down");
}
