import type { RouteBatch, RouteSink, WillPublication } from "@canopy/session";
import type { Parts } from "./parts.ts";

/** What sessions ask of this process. */
export class RouteSinkPort implements RouteSink {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async heads(): Promise<readonly (number | undefined)[]> {
    await this.#parts.started.promise;
    return this.#parts.shards.map(({ owner }) => (owner.assigned === 0 ? undefined : owner.head));
  }

  async routes(batch: RouteBatch): Promise<void> {
    await this.#parts.routes.take(batch);
  }

  async publishWill(will: WillPublication): Promise<void> {
    await this.#parts.started.promise;
    await this.#parts.wills.publish(will);
  }

  async sessionsEnded(incarnations: readonly number[]): Promise<void> {
    await this.#parts.started.promise;
    const writes: Promise<void>[] = [];
    for (const { receipts, sideWrites, owner } of this.#parts.shards) {
      if (owner.assigned === 0) continue;
      for (const incarnation of incarnations) {
        if (!receipts.knows(incarnation) || !receipts.has(incarnation)) continue;
        const forget = (): void => receipts.forgetSession(incarnation);
        writes.push(sideWrites.endSession(incarnation).then(forget));
      }
    }
    await Promise.all(writes);
  }
}
