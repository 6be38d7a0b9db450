import { afterEach, beforeEach } from "vitest";
import {
  type Append,
  OFFSETS_PER_EPOCH,
  type Offset,
  type ReadResult,
  type RetainedMessage,
  type ShardStore,
  type Store,
  StoreError,
  type StoreErrorCode,
  storedBody,
} from "../port.ts";

/** What a backend hands to the suite: one place for data, empty at first. */
export interface StoreHarness {
  /** Opens the data; the store opened before has been closed or crashed. */
  open(): Promise<Store>;
  /**
   * Ends this store the way a killed process does: nothing more is written. Left out by a backend
   * that cannot do it; then the suite closes instead.
   */
  crash?(store: Store): Promise<void>;
  /** Removes the data. The store has been closed or crashed. */
  destroy(): Promise<void>;
}

export type MakeHarness = () => Promise<StoreHarness>;

export interface ContractOptions {
  /** Runs with messages of 256 MiB and other tests of minutes; default false. */
  readonly slow?: boolean;
  /** Random runs of the property tests; default 40. */
  readonly runs?: number;
  /** Queues in the test with many; default 100,000. */
  readonly queues?: number;
}

/** Enough for everything that a test wants to see at once. */
export const ALL: { readonly messages: number; readonly bytes: number } = {
  messages: 1_000_000,
  bytes: 2 ** 40,
};

/** A store under test, reopened at will. */
export class Bench {
  readonly harness: StoreHarness;
  store: Store;

  constructor(harness: StoreHarness, store: Store) {
    this.harness = harness;
    this.store = store;
  }

  /** Opens a shard under the next epoch. */
  async shard(shard: number = 0): Promise<ShardStore> {
    return this.store.open(shard, (await this.store.epoch(shard)) + 1);
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await this.harness.open();
  }

  async crash(): Promise<void> {
    if (this.harness.crash === undefined) await this.store.close();
    else await this.harness.crash(this.store);
    this.store = await this.harness.open();
  }
}

/** Gives each test of the surrounding `describe` a fresh, empty store. */
export function useBench(makeHarness: MakeHarness): () => Bench {
  let bench: Bench | undefined;
  beforeEach(async () => {
    const harness = await makeHarness();
    bench = new Bench(harness, await harness.open());
  });
  afterEach(async () => {
    await bench?.store.close();
    await bench?.harness.destroy();
    bench = undefined;
  });
  return () => {
    if (bench === undefined) throw new Error("no bench outside a test");
    return bench;
  };
}

/** A message for an append: its body and where it goes. */
export interface Draft {
  readonly body: string | Uint8Array;
  readonly queues?: readonly string[];
  /** Topic whose retained value it becomes. */
  readonly retain?: string;
  readonly expiry?: number;
}

/** An append of these messages at this offset. */
export function appendOf(first: Offset, drafts: readonly Draft[]): Append {
  const bodies: Uint8Array[] = [];
  const ends: number[] = [];
  const postings = new Map<string, number[]>();
  const retained: { topic: string; index: number }[] = [];
  let end = 0;
  drafts.forEach((draft, index) => {
    const body = typeof draft.body === "string" ? Buffer.from(draft.body) : draft.body;
    bodies.push(body);
    ends.push((end += body.length));
    for (const queue of draft.queues ?? []) {
      const indexes = postings.get(queue);
      if (indexes === undefined) postings.set(queue, [index]);
      else indexes.push(index);
    }
    if (draft.retain !== undefined) retained.push({ topic: draft.retain, index });
  });
  return {
    ...change({}),
    first: drafts.length === 0 ? 0 : first,
    bodies: Buffer.concat(bodies),
    ends,
    expiries: drafts.map((draft) => draft.expiry ?? 0),
    postings,
    retained,
  };
}

/** An append without messages. */
export function change(fields: Partial<Append>): Append {
  return {
    first: 0,
    bodies: new Uint8Array(0),
    ends: [],
    expiries: [],
    postings: new Map(),
    retained: [],
    receipts: [],
    endedSessions: [],
    senders: [],
    progress: new Map(),
    ...fields,
  };
}

/** The first offset that an owner of this epoch may give. */
export function firstOf(shard: ShardStore): Offset {
  return Math.max(shard.head, shard.epoch * OFFSETS_PER_EPOCH) + 1;
}

/** Appends and returns the first offset. */
export async function put(shard: ShardStore, ...drafts: Draft[]): Promise<Offset> {
  const first = firstOf(shard);
  await shard.append(appendOf(first, drafts));
  return first;
}

export function text(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString();
}

/** Everything in a queue, as "offset:body". */
export async function contents(shard: ShardStore, ...queues: string[]): Promise<string[]> {
  const result = await shard.read(
    queues.map((queue) => ({ queue, after: 0 })),
    ALL,
  );
  return result.messages.map((message) => `${message.offset}:${text(storedBody(message))}`);
}

export async function bodies(shard: ShardStore, ...queues: string[]): Promise<string[]> {
  const lines = await contents(shard, ...queues);
  return lines.map((line) => line.slice(line.indexOf(":") + 1));
}

export function texts(result: ReadResult): string[] {
  return result.messages.map((message) => text(storedBody(message)));
}

/** All retained values that match, page by page. */
export async function allRetained(
  shard: ShardStore,
  filter: string,
  limits: { messages: number; bytes: number } = ALL,
  upTo: Offset = Number.MAX_SAFE_INTEGER,
): Promise<RetainedMessage[]> {
  const found: RetainedMessage[] = [];
  let after: string | undefined;
  do {
    const page = await shard.retained(filter, upTo, after, limits);
    found.push(...page.messages);
    after = page.next;
  } while (after !== undefined);
  return found;
}

/** "done" or the StoreError's code. */
export async function outcome(promise: Promise<unknown>): Promise<StoreErrorCode | "done"> {
  try {
    await promise;
    return "done";
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}
