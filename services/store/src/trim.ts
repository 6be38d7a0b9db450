import { type Clock, DeadlineHeap, type Logger } from "@canopy/base";
import { RecordView } from "@canopy/codec";
import { type Offset, type ShardStore, StoreError } from "@canopy/store";
import type { Counters } from "./counters.ts";
import type { QueueLimits } from "./options.ts";
import type { QueueState } from "./queues.ts";
import type { Removals } from "./removals.ts";
import type { Routes } from "./routes.ts";
import type { SessionGroups } from "./session-groups.ts";
import type { Shard } from "./shard.ts";
import { isShared } from "./share/name.ts";
import type { Shares } from "./share/shares.ts";

/** Between two looks at a queue while something happens, and at most. */
const SOON = 1_000;
const LATE = 60_000;
/** Asking for the lowest position walks over sessions: it may take this part of the time. */
const SHARE_OF_TIME = 1 / 100;
/** Queues about which sessions are asked at a time. */
const AT_ONCE = 32;
/** Messages read at a time to find those that are too old. */
const AGE_PAGE = 100;
const AGE_PAGE_BYTES = 1 << 20;
const WARN_AFTER = 60_000;
/** Queues whose drops are on their way to the disk at a time: they share writes. */
const MOST_DROPS = 1_000;

export interface TrimParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: QueueLimits;
  readonly routes: Routes;
  readonly shares: Shares;
  readonly removals: Removals;
  readonly counters: Counters;
  readonly groups: Pick<SessionGroups, "lowest">;
}

/** Shortens the queues of one shard: what nobody needs, then what limits forbid. */
export class Trimmer {
  readonly #shard: Shard;
  readonly #parts: TrimParts;
  /** Queue → when to look at it. */
  readonly #looks = new DeadlineHeap<string>();
  readonly #warned = new Map<string, number>();
  readonly #view = new RecordView();
  readonly #drops = new Set<Promise<void>>();

  constructor(shard: Shard, parts: TrimParts) {
    this.#shard = shard;
    this.#parts = parts;
  }

  /** Queues that were used since the last call are looked at now. */
  begin(now: number): void {
    for (const state of this.#shard.queues.takeTouched()) {
      state.interval = SOON;
      this.#looks.set(state.name, now);
    }
  }

  /** Looks at some queues that are due; false if there are none. */
  async next(): Promise<boolean> {
    const { clock } = this.#parts;
    const began = clock.now();
    const names = this.#looks.popDue(began, AT_ONCE);
    if (names.length === 0) return false;
    // One that is being shortened is looked at when that is done.
    const states = names
      .map((name) => this.#shard.queues.get(name))
      .filter((state) => state !== undefined && !state.isDropping) as QueueState[];
    // What is stored while they are asked is not meant.
    const { head } = this.#shard.owner;
    const lowest = await this.#lowest(states);
    const asking = (clock.now() - began) / states.length;
    for (const [i, state] of states.entries()) {
      await this.#look(state, Math.min(lowest[i] ?? 0, head), asking);
      if (this.#drops.size >= MOST_DROPS) await Promise.race(this.#drops);
    }
    return true;
  }

  /** `lowest`: what everybody has finished; `asking`: the time that it took to know that, in ms. */
  async #look(state: QueueState, lowest: Offset, asking: number): Promise<void> {
    const { clock, routes, removals } = this.#parts;
    const began = clock.now() - asking;
    if (!routes.has(state.name)) {
      removals.remove(state.name);
      this.#again(state, SOON);
      return;
    }
    try {
      const before = state.messages;
      const isThere = await this.#shorten(state, this.#shard.owner.require(), lowest);
      if (!isThere) return;
      // One that was forgotten and came back has none yet.
      const longer = Math.min(Math.max(state.interval * 2, SOON), LATE);
      state.interval = state.messages < before ? SOON : longer;
    } catch (error) {
      this.#failed(state, error);
    }
    if (!state.isDropping)
      this.#again(state, Math.max(state.interval, (clock.now() - began) / SHARE_OF_TIME));
  }

  #again({ name }: QueueState, after: number): void {
    this.#looks.set(name, this.#parts.clock.now() + after);
  }

  /** False if the queue is empty now. */
  async #shorten(state: QueueState, store: ShardStore, lowest: Offset): Promise<boolean> {
    const { name } = state;
    state.fresh = 0;
    state.freshMessages = 0;
    if (lowest > state.trimmed) {
      await store.trim(name, lowest);
      state.trimmed = lowest;
    }
    if (!(await this.#learn(state, store))) return false;
    const upTo = Math.max(await this.#excess(state, store), await this.#tooOld(state, store));
    if (upTo > 0) this.#begin(state, store, upTo);
    return true;
  }

  /** Goes on to other queues while this is written. */
  #begin(state: QueueState, store: ShardStore, upTo: Offset): void {
    state.isDropping = true;
    const dropping = this.#drop(state, store, upTo).finally(() => this.#drops.delete(dropping));
    this.#drops.add(dropping);
  }

  async #drop(state: QueueState, store: ShardStore, upTo: Offset): Promise<void> {
    state.interval = SOON;
    try {
      this.#dropped(state.name, await store.drop(state.name, upTo));
      state.isDropping = false;
      if (await this.#learn(state, store)) this.#again(state, SOON);
    } catch (error) {
      state.isDropping = false;
      this.#failed(state, error);
      this.#again(state, SOON);
    }
  }

  #failed({ name }: QueueState, error: unknown): void {
    if (error instanceof StoreError && error.code === "closed") return;
    const fields = { err: error, queue: name, shard: this.#shard.number };
    this.#parts.logger.warn(fields, "queue not trimmed");
  }

  async #learn(state: QueueState, store: ShardStore): Promise<boolean> {
    const { arrived, arrivedBytes } = state;
    const [stat] = await store.stats([state.name]);
    return stat === undefined || this.#shard.queues.learn(stat, { arrived, arrivedBytes });
  }

  /** Of each, what of the queue everybody has finished. */
  async #lowest(states: readonly QueueState[]): Promise<readonly Offset[]> {
    const shard = this.#shard.number;
    const { groups, shares } = this.#parts;
    const plain = states.filter(({ name }) => !isShared(name));
    const found = await groups.lowest(plain.map(({ name }) => ({ filter: name, shard })));
    const lowest = new Map(plain.map((state, i) => [state, found[i] ?? 0]));
    return states.map((state) => {
      const reader = shares.get(state.name)?.readerIfThere(shard);
      return lowest.get(state) ?? reader?.floor ?? 0;
    });
  }

  async #excess(state: QueueState, store: ShardStore): Promise<Offset> {
    const { maxQueuedMessages: messages, maxQueuedBytes: bytes } = this.#parts.limits;
    if (state.messages <= messages && state.bytes <= bytes) return 0;
    return store.excess(state.name, { messages, bytes });
  }

  /** The last of the queue's oldest messages that were accepted too long ago. */
  async #tooOld({ name }: QueueState, store: ShardStore): Promise<Offset> {
    const { limits, clock } = this.#parts;
    if (limits.maxQueuedAge === 0) return 0;
    const before = clock.wall() - limits.maxQueuedAge;
    let upTo = 0;
    // The first alone is nearly always young enough.
    let page = { messages: 1, bytes: 1 };
    for (;;) {
      const read = await store.read([{ queue: name, after: upTo }], page);
      for (const { offset, bytes, start, end } of read.messages) {
        if (this.#view.set(bytes, start, end).acceptedAt >= before) return upTo;
        upTo = offset;
      }
      if (!read.limited) return upTo;
      page = { messages: AGE_PAGE, bytes: AGE_PAGE_BYTES };
    }
  }

  #dropped(queue: string, messages: number): void {
    if (messages <= 0) return;
    const { clock, counters, logger } = this.#parts;
    counters.dropped += messages;
    const now = clock.now();
    if (now - (this.#warned.get(queue) ?? Number.NEGATIVE_INFINITY) < WARN_AFTER) return;
    if (this.#warned.size > 1_000) this.#warned.clear();
    this.#warned.set(queue, now);
    const fields = { queue, shard: this.#shard.number, messages };
    logger.warn(fields, "a queue is at its limit: its oldest messages were dropped");
  }
}
