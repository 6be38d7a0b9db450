import type { Clock } from "@canopy/base";
import { SessionError } from "@canopy/session";
import { OFFSETS_PER_EPOCH } from "@canopy/store";
import type { Background } from "./background.ts";
import type { StoreLink } from "./store-link.ts";
import type { Stores } from "./stores.ts";

/** Failures up to which the pause between two tries grows. */
const SLOWEST = 4;
/** ms. A process that does not answer is down before that, or its shards are somebody else's. */
const PATIENCE = 10_000;

interface Parts {
  readonly clock: Clock;
  readonly shards: number;
  readonly stores: Pick<Stores, "owner" | "epoch">;
  readonly background: Background;
}

/**
 * The last offset of every shard, from the processes that own them. A shard that nobody owns counts as
 * the start of its next epoch: nothing that is stored before that is for who asks now, and whatever
 * comes then is.
 */
export class Heads {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Waits for owners that live, but not for ever: then it rejects with `unavailable`. */
  async ask(): Promise<readonly number[]> {
    const { clock, shards, background } = this.#parts;
    const heads = new Map<number, number>();
    const end = clock.now() + PATIENCE;
    for (let failures = 0; ; ) {
      const error = await this.#askOnce(heads);
      if (heads.size === shards) break;
      failures = Math.min(failures + 1, SLOWEST);
      if (clock.now() >= end) throw unanswered(error);
      if (!(await background.afterFailure("asking for heads", failures, error)))
        throw unanswered(error);
    }
    return Array.from({ length: shards }, (_, shard) => heads.get(shard) as number);
  }

  /** Adds what is found to `heads`; returns why it is not all. */
  async #askOnce(heads: Map<number, number>): Promise<unknown> {
    const { shards, stores } = this.#parts;
    const owners = new Map<number, { readonly link: StoreLink; readonly owned: number[] }>();
    for (let shard = 0; shard < shards; shard++) {
      if (heads.has(shard)) continue;
      const link = stores.owner(shard);
      if (link === "not yet") continue;
      if (link === "nobody") {
        heads.set(shard, (stores.epoch(shard) + 1) * OFFSETS_PER_EPOCH);
        continue;
      }
      const known = owners.get(link.incarnation);
      if (known === undefined) owners.set(link.incarnation, { link, owned: [shard] });
      else known.owned.push(shard);
    }
    let failure: unknown = new Error("a shard's owner does not know that it is");
    const asked = [...owners.values()].map(async ({ link, owned }) => {
      try {
        const answer = await link.call((sink) => sink.heads());
        for (const shard of owned) {
          const head = answer[shard];
          if (head !== undefined) heads.set(shard, head);
        }
      } catch (error) {
        failure = error;
      }
    });
    await Promise.all(asked);
    return failure;
  }
}

function unanswered(cause: unknown): SessionError {
  return new SessionError("unavailable", "the stores do not answer", { cause });
}
