import { Deferred } from "@canopy/base";
import { SessionError, type SubscribeRequest, type SubscribeResult } from "@canopy/session";
import { indeterminate } from "./errors.ts";
import type { Heads } from "./heads.ts";
import type { Propose } from "./proposing.ts";
import type { Routes } from "./routes.ts";
import { Turn } from "./turn.ts";

interface Asked {
  readonly request: SubscribeRequest;
  readonly answer: Deferred<SubscribeResult>;
  /** The command is on its way or applied: whoever stops waiting can't say that nothing was done. */
  proposed: boolean;
}

interface Parts {
  readonly heads: Heads;
  readonly routes: Routes;
  readonly propose: Propose;
  readonly maxWaiting: number;
}

/**
 * The subscribes of one turn: heads are asked for once, one command starts them all there, and
 * each is answered when its routes are in force. From then on a matching PUBLISH reaches it, and
 * what was published before the heads does not.
 */
export class Subscribing {
  readonly #parts: Parts;
  readonly #turn: Turn<Asked>;
  readonly #waiting = new Set<Asked>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#turn = new Turn((batch) => void this.#answer(batch));
  }

  subscribe(request: SubscribeRequest): Promise<SubscribeResult> {
    if (this.#waiting.size >= this.#parts.maxWaiting) {
      return Promise.reject(new SessionError("overloaded", "too many subscribes wait"));
    }
    const asked = { request, answer: new Deferred<SubscribeResult>(), proposed: false };
    this.#waiting.add(asked);
    this.#turn.add(asked);
    return asked.answer.promise;
  }

  /** Nothing waits any more. */
  stop(why: SessionError): void {
    for (const { answer, proposed } of this.#waiting)
      answer.reject(proposed ? indeterminate() : why);
    this.#waiting.clear();
  }

  async #answer(batch: readonly Asked[]): Promise<void> {
    try {
      const results = await this.#commit(batch);
      await this.#parts.routes.settled();
      for (const [i, { answer }] of batch.entries()) settle(answer, results[i]);
    } catch (cause) {
      for (const { answer } of batch) answer.reject(asSessionError(cause));
    }
    for (const asked of batch) this.#waiting.delete(asked);
  }

  async #commit(batch: readonly Asked[]): Promise<readonly (SubscribeResult | undefined)[]> {
    const heads = await this.#parts.heads.ask();
    for (const asked of batch) asked.proposed = true;
    const requests = batch.map(({ request }) => request);
    return this.#parts.propose({ type: "subscribe", heads, requests });
  }
}

function settle(answer: Deferred<SubscribeResult>, result: SubscribeResult | undefined): void {
  if (result !== undefined) answer.resolve(result);
  else answer.reject(new SessionError("stale", "somebody else has the session"));
}

function asSessionError(cause: unknown): SessionError {
  if (cause instanceof SessionError) return cause;
  return new SessionError("unavailable", "the stores do not answer", { cause });
}
