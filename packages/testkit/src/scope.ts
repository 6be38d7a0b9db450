import { onTestFinished } from "vitest";

type Cleanup = () => unknown;

/** What has to be undone, in the order opposite to the doing. */
export class Scope {
  readonly #cleanups: Cleanup[] = [];

  defer(cleanup: Cleanup): void {
    this.#cleanups.push(cleanup);
  }

  /** Everything is undone, whatever fails on the way; then the failures are thrown. */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) {
      try {
        await cleanup();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "several cleanups failed");
  }
}

/**
 * Ends with the running test, also when it fails. The default scope of everything here that has to
 * be cleaned up; in a beforeAll hook make a Scope of your own and close it in afterAll.
 */
export function testScope(): Scope {
  const scope = new Scope();
  onTestFinished(() => scope.close());
  return scope;
}
