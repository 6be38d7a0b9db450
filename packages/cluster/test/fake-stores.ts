import { Deferred, seededRandom, silentLogger } from "@canopy/base";
import { type Change, ClusterView, type Member, type ShardPlace } from "@canopy/control";
import type {
  Dispatch,
  InterestChange,
  Missed,
  NotTaken,
  Offset,
  PublishBatch,
  Push,
  ReadRequest,
  RetainedRequest,
  Returned,
  ShardCounts,
  ShardPeer,
  ShardReadResult,
  ShardRetainedPage,
  Shards,
  ShareMember,
} from "@canopy/store";
import { FakeTime } from "@canopy/testkit";
import { ClusterShards } from "../src/shards/cluster-shards.ts";
import type { StoreNodes, StoreNodesListener } from "../src/shards/nodes.ts";
import { idAt, messagesOf, recordsOf } from "./model/record.ts";

export const GATEWAY = 9;
export const SHARDS = 2;

/** A store process that writes down what it is asked, and answers what a test tells it to. */
export class FakeStore implements Shards {
  readonly shards = SHARDS;
  /** In words, in order. */
  readonly asked: string[] = [];
  /** As they were given, by number. */
  readonly batches: PublishBatch[] = [];
  readonly heads: Deferred<readonly Offset[]>[] = [];
  /** What calls for a shard do. */
  answer: (call: string) => Promise<unknown> = () => Promise.resolve(undefined);
  peer!: ShardPeer;
  retainedCount = 0;

  register(gateway: number, peer: ShardPeer): void {
    this.peer = peer;
    this.#note(`register ${gateway}`);
  }

  unregister(gateway: number): void {
    this.#note(`unregister ${gateway}`);
  }

  known(_gateway: number, version: number): void {
    this.#note(`known ${version}`);
  }

  resume(_gateway: number, shard: number, epoch: number, seq: number): void {
    this.#note(`resume ${shard} under ${epoch} from ${seq}`);
  }

  publish(batch: PublishBatch): void {
    this.batches.push(batch);
    const ids = messagesOf(batch).map(({ id }) => id);
    this.#note(`batch ${batch.shard}/${batch.seq}: ${ids.join(" ")}`.trim());
  }

  acknowledged(_gateway: number, number: number): void {
    this.#note(`acknowledged ${number}`);
  }

  interests(_gateway: number, changes: readonly InterestChange[]): Promise<readonly Offset[]> {
    const words = changes.map(({ filter, add, transient }) => {
      return `${add ? "+" : "-"}${filter}${transient ? "!" : ""}`;
    });
    this.#note(`interests ${words.join(" ")}`.trim());
    const heads = new Deferred<readonly Offset[]>();
    this.heads.push(heads);
    return heads.promise;
  }

  read(requests: readonly ReadRequest[]): Promise<readonly ShardReadResult[]> {
    return this.#call(`read ${requests.map(({ shard }) => shard).join(" ")}`);
  }

  retained({ shard, after }: RetainedRequest): Promise<ShardRetainedPage> {
    return this.#call(`retained ${shard} after ${after?.topic ?? "nothing"}`);
  }

  retainedAt(shard: number, topic: string): Promise<Uint8Array | undefined> {
    return this.#call(`retainedAt ${shard} ${topic}`);
  }

  receipts(
    session: number,
    shards: readonly number[] = [],
  ): Promise<readonly { readonly shard: number; readonly key: number }[]> {
    return this.#call(`receipts ${session} of ${shards.join(" ")}`);
  }

  forget(shard: number, session: number, key: number): Promise<void> {
    return this.#call(`forget ${shard} ${session} ${key}`);
  }

  join(_gateway: number, { member }: ShareMember): void {
    this.#note(`join ${member}`);
  }

  leave(
    _gateway: number,
    member: number,
    _keep: readonly { readonly shard: number; readonly offset: Offset }[],
    returned: readonly Returned[],
  ): void {
    this.#note(`leave ${member} with ${returned.length}`);
  }

  holds(_gateway: number, member: number, shard: number, offsets: readonly Offset[]): void {
    this.#note(`holds ${member} ${shard}: ${offsets.join(" ")}`);
  }

  settle(_gateway: number, member: number, shard: number, offset: Offset): void {
    this.#note(`settle ${member} ${shard} ${offset}`);
  }

  settleDurably(filter: string, shard: number): Promise<void> {
    return this.#call(`settleDurably ${filter} ${shard}`);
  }

  counts(): ShardCounts {
    const none = { queuedMessages: 0, queuedBytes: 0, dropped: 1, notRetained: 0 };
    return { ...none, retained: this.retainedCount, storedMessages: 0 };
  }

  /** What was asked since the last time. */
  news(): string[] {
    return this.asked.splice(0);
  }

  /** The last batch of this number that it was given. */
  batch(seq: number): PublishBatch {
    return this.batches.findLast((batch) => batch.seq === seq) as PublishBatch;
  }

  #note(words: string): void {
    this.asked.push(words);
  }

  #call(words: string): Promise<never> {
    this.asked.push(words);
    return this.answer(words) as Promise<never>;
  }
}

/** A gateway over some store processes; incarnations 1, 2, … */
export class World implements ShardPeer, StoreNodes {
  readonly time = new FakeTime();
  readonly view = new ClusterView();
  readonly shards: ClusterShards;
  readonly stores = new Map<number, FakeStore>();
  /** What the gateway was told, in words, in order. */
  readonly told: string[] = [];
  acknowledges = true;
  readonly resets: number[] = [];
  readonly #connected = new Set<number>();
  #listener: StoreNodesListener | undefined;
  #version = 10;
  readonly #seqs: number[] = [];

  /** As many store processes as shards have owners; 0: nobody's. */
  constructor(owners: readonly number[], options: { readonly maxUnansweredBytes?: number } = {}) {
    const incarnations = [...new Set(owners)].filter((owner) => owner !== 0);
    this.view.load({
      version: this.#version,
      shards: SHARDS,
      groups: 1,
      members: incarnations.map((incarnation) => memberOf(incarnation)),
      down: [],
      places: owners.map((owner, shard) => ({ shard, owner, epoch: 1, home: "" })),
      nodes: [],
      bans: [],
    });
    this.shards = new ClusterShards({
      view: this.view,
      nodes: this,
      clock: this.time,
      timers: this.time,
      random: seededRandom(1),
      logger: silentLogger,
      waitTimeout: 5_000,
      maxUnansweredBytes: 1_000,
      callTimeout: 3_000,
      readTimeout: 500,
      ...options,
    });
    for (const incarnation of incarnations) this.connect(incarnation);
    this.shards.register(GATEWAY, this);
    for (const store of this.stores.values()) store.news();
  }

  store(incarnation: number): FakeStore {
    return this.stores.get(incarnation) as FakeStore;
  }

  // --- the control log --------------------------------------------------------------------------

  commit(...changes: readonly Change[]): void {
    const version = ++this.#version;
    this.view.apply(
      changes.map((change) => ({ version, change })),
      version,
    );
  }

  place(shard: number, owner: number, epoch: number): void {
    this.commit({ type: "shard", place: { shard, owner, epoch, home: "" } satisfies ShardPlace });
  }

  join(incarnation: number): void {
    this.commit({ type: "member-up", member: memberOf(incarnation) });
  }

  // --- connections ------------------------------------------------------------------------------

  connect(incarnation: number): void {
    if (!this.stores.has(incarnation)) this.stores.set(incarnation, new FakeStore());
    this.#connected.add(incarnation);
    this.#listener?.connected(incarnation);
  }

  disconnect(incarnation: number): void {
    this.#connected.delete(incarnation);
    this.#listener?.disconnected(incarnation);
  }

  get(store: number): FakeStore | undefined {
    return this.#connected.has(store) ? this.stores.get(store) : undefined;
  }

  reset(store: number): void {
    this.resets.push(store);
    this.disconnect(store);
  }

  listen(listener: StoreNodesListener): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  // --- the gateway ------------------------------------------------------------------------------

  /** Messages of these ids and QoS; `receipts`: those of QoS 2 have one. */
  publish(shard: number, qos: Record<number, 0 | 1 | 2>, receipts = false): PublishBatch {
    const messages = Object.entries(qos).map(([id, level]) => ({ id: Number(id), qos: level }));
    const seq = (this.#seqs[shard] ?? 0) + 1;
    this.#seqs[shard] = seq;
    const batch = {
      shard,
      gateway: GATEWAY,
      seq,
      records: recordsOf(messages),
      receiptSessions: messages.map((message) => (receipts && message.qos === 2 ? 7 : 0)),
      receiptKeys: messages.map(({ id }) => id),
    };
    this.shards.publish(batch);
    return batch;
  }

  answered({ seq, receiptKeys }: PublishBatch, index: number, reasonCode: number): void {
    this.told.push(`${receiptKeys[index]} of ${seq}: 0x${reasonCode.toString(16)}`);
  }

  released({ seq }: PublishBatch): void {
    this.told.push(`released ${seq}`);
  }

  notTaken({ seq }: PublishBatch, reason: NotTaken): void {
    this.told.push(`not taken ${seq}: ${reason}`);
  }

  push({ number, records, indexes, readersOnly }: Push): void {
    const ids = indexes.map((index) => idAt(records, index)).join(" ");
    this.told.push(`push ${number}: ${ids}${readersOnly === true ? " for readers" : ""}`);
    if (this.acknowledges) this.shards.acknowledged(GATEWAY, number);
  }

  dispatch({ number, member, offset }: Dispatch): void {
    this.told.push(`dispatch ${number} to ${member}: ${offset}`);
    if (this.acknowledges) this.shards.acknowledged(GATEWAY, number);
  }

  missed({ number, shards }: Missed): void {
    this.told.push(`missed ${number}: ${shards.map(({ shard }) => shard).join(" ")}`);
    if (this.acknowledges) this.shards.acknowledged(GATEWAY, number);
  }

  ownerChanged(shard: number): void {
    this.told.push(`owner of ${shard} changed`);
  }

  /** What the gateway was told since the last time. */
  news(): string[] {
    return this.told.splice(0);
  }
}

function memberOf(incarnation: number): Member {
  return { kind: "store", incarnation, name: `store-${incarnation}`, address: "", disk: "" };
}

/** A push of these ids at this QoS, all of one batch of gateway 3. */
export function pushOf(
  place: { number: number; shard?: number; epoch?: number; seq: number; offset?: number },
  ids: readonly number[],
  qos: 0 | 1 | 2 = 1,
): Push {
  const { number, shard = 0, epoch = 1, seq, offset = 0 } = place;
  const records = recordsOf(ids.map((id) => ({ id, qos })));
  const indexes = ids.map((_, i) => i);
  const offsets = ids.map(() => offset);
  return { number, shard, epoch, gateway: 3, seq, records, indexes, offsets };
}

/** Everything that promises have to say has been said. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
