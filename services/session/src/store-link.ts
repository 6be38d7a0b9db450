import { Deferred } from "@canopy/base";
import { type RouteSink, SessionError } from "@canopy/session";

/** A store process that this group serves, until it is down. */
export class StoreLink {
  readonly incarnation: number;
  readonly #find: () => RouteSink | undefined;
  readonly #calls = new Set<Deferred<unknown>>();
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

  /** What a dead process was asked it never answers: its end rejects that. */
  async call<T>(ask: (sink: RouteSink) => Promise<T>): Promise<T> {
    if (this.#isDown) throw gone();
    this.#sink ??= this.#find();
    if (this.#sink === undefined) {
      throw new SessionError("unavailable", "it is not known yet where the store process is");
    }
    const answer = new Deferred<T>();
    this.#calls.add(answer as Deferred<unknown>);
    ask(this.#sink).then(
      (value) => answer.resolve(value),
      (error: unknown) => answer.reject(error),
    );
    try {
      return await answer.promise;
    } finally {
      this.#calls.delete(answer as Deferred<unknown>);
    }
  }

  down(): void {
    this.#isDown = true;
    for (const answer of this.#calls) answer.reject(gone());
  }
}

function gone(): SessionError {
  return new SessionError("unavailable", "the store process is down");
}
