import type { Clock, Random, Timers } from "@canopy/base";
import type { ReadonlyView } from "@canopy/control";
import { type Shards, StoreError } from "@canopy/store";
import type { StoreNodes } from "./nodes.ts";

/** Between two attempts at the same owner, in ms: at random between this and its half. */
const RETRY = 200;

/** After these somebody else may answer, or the same later. Every call may be repeated. */
const PASSING: ReadonlySet<string> = new Set(["not-owner", "unavailable", "closed", "stale-epoch"]);

export interface OwnerCallsParts {
  readonly view: ReadonlyView;
  readonly nodes: StoreNodes;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

type Outcome<T> =
  | { readonly type: "value"; readonly value: T }
  | { readonly type: "error"; readonly error: unknown }
  /** Nothing came, but there is something new to try; or time is up. */
  | { readonly type: "woken" };

interface Waiter {
  readonly shards: readonly number[];
  /** A call is under way: who can be reached is nothing new. */
  readonly isCall: boolean;
  readonly wake: () => void;
}

/** Calls that find the owner of a shard: where there is none, or it has gone, they wait for the next. */
export class OwnerCalls {
  readonly #parts: OwnerCallsParts;
  readonly #waiters = new Set<Waiter>();
  /** Grows with whatever may let another attempt succeed. */
  #changes = 0;

  constructor(parts: OwnerCallsParts) {
    this.#parts = parts;
  }

  /** The shard has another owner, epoch, or none. */
  moved(shard: number): void {
    this.#changes++;
    for (const waiter of this.#waiters) if (waiter.shards.includes(shard)) waiter.wake();
  }

  connected(store: number): void {
    this.#changes++;
    const { view } = this.#parts;
    for (const { isCall, shards, wake } of this.#waiters) {
      if (!isCall && shards.some((shard) => view.place(shard).owner === store)) wake();
    }
  }

  async at<T>(shard: number, timeout: number, call: (owner: Shards) => Promise<T>): Promise<T> {
    const [value] = await this.all([shard], timeout, call);
    return value as T;
  }

  /**
   * One call at each owner, for those of the shards that it owns. Rejects with `unavailable` after the
   * timeout (ms), and at once with errors that don't pass. A call that finds what it is told outdated
   * rejects with `not-owner`.
   */
  async all<T>(
    shards: readonly number[],
    timeout: number,
    call: (owner: Shards, shards: readonly number[]) => Promise<T>,
  ): Promise<T[]> {
    const until = this.#parts.clock.now() + timeout;
    const values: T[] = [];
    let left = shards;
    for (;;) {
      const changes = this.#changes;
      const round = await this.#round(left, until, call);
      values.push(...round.values);
      left = round.left;
      if (left.length === 0) return values;
      if (this.#parts.clock.now() >= until) throw unavailable(left, round.error);
      // what has happened since it was looked wakes nobody any more
      if (round.pause === undefined || this.#changes !== changes) continue;
      await this.#pause(left, Math.min(until, round.pause));
    }
  }

  async #round<T>(
    shards: readonly number[],
    until: number,
    call: (owner: Shards, shards: readonly number[]) => Promise<T>,
  ): Promise<{ values: T[]; left: number[]; error: unknown; pause: number | undefined }> {
    const values: T[] = [];
    const left: number[] = [];
    let error: unknown;
    let pause: number | undefined;
    const attempts = [...this.#byOwner(shards)].map(async ([owner, owned]) => {
      const node = owner === 0 ? undefined : this.#parts.nodes.get(owner);
      if (node === undefined) {
        left.push(...owned);
        pause ??= until;
        return;
      }
      const outcome = await this.#attempt(owned, until, () => call(node, owned));
      if (outcome.type === "value") {
        values.push(outcome.value);
        return;
      }
      left.push(...owned);
      if (outcome.type !== "error") return;
      if (!isPassing(outcome.error)) throw outcome.error;
      error = outcome.error;
      // it may have moved while others were waited for: then that is seen, or soon
      pause = this.#parts.clock.now() + (RETRY * (1 + this.#parts.random.next())) / 2;
    });
    await Promise.all(attempts);
    return { values, left, error, pause };
  }

  #byOwner(shards: readonly number[]): Map<number, number[]> {
    const owners = new Map<number, number[]>();
    for (const shard of shards) {
      const { owner } = this.#parts.view.place(shard);
      const owned = owners.get(owner);
      if (owned === undefined) owners.set(owner, [shard]);
      else owned.push(shard);
    }
    return owners;
  }

  #attempt<T>(
    shards: readonly number[],
    until: number,
    call: () => Promise<T>,
  ): Promise<Outcome<T>> {
    return new Promise((resolve) => {
      const end = this.#wait(shards, until, true, () => resolve({ type: "woken" }));
      call().then(
        (value) => {
          end();
          resolve({ type: "value", value });
        },
        (error: unknown) => {
          end();
          resolve({ type: "error", error });
        },
      );
    });
  }

  #pause(shards: readonly number[], until: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wait(shards, until, false, resolve);
    });
  }

  /** Wakes once, by what happens or at the latest then. Returns what ends it before. */
  #wait(shards: readonly number[], until: number, isCall: boolean, wake: () => void): () => void {
    const { timers, clock } = this.#parts;
    const end = (): void => {
      timer.cancel();
      this.#waiters.delete(waiter);
    };
    const waiter: Waiter = {
      shards,
      isCall,
      wake: () => {
        end();
        wake();
      },
    };
    const timer = timers.set(Math.max(0, until - clock.now()), () => waiter.wake());
    this.#waiters.add(waiter);
    return end;
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof StoreError && PASSING.has(error.code);
}

function unavailable(shards: readonly number[], cause: unknown): StoreError {
  return new StoreError("unavailable", `no owner of shard ${shards.join(", ")} answers`, { cause });
}
