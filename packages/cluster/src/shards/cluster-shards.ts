import type { Clock, Logger, Random, Timer, Timers } from "@canopy/base";
import type { ReadonlyView, Version, VersionedChange } from "@canopy/control";
import {
  type InterestChange,
  type Offset,
  type PublishBatch,
  type ReadRequest,
  type RetainedRequest,
  type Returned,
  type ShardCounts,
  type ShardPeer,
  type ShardReadResult,
  type ShardRetainedPage,
  type Shards,
  type ShareMember,
  StoreError,
} from "@canopy/store";
import { shardsOfFilter } from "@canopy/topic";
import { Attachment } from "./attachment.ts";
import { ShardsCounters } from "./counters.ts";
import type { StoreNodes } from "./nodes.ts";
import { OwnerCalls } from "./owner-calls.ts";
import { StoreCounts } from "./store-counts.ts";

/** Before all topics: no topic name is empty [MQTT-4.7.3-1]. */
const BEGINNING = "";
/** How often it is looked at what waits for an owner, in ms. */
const TICK = 250;

export interface ClusterShardsOptions {
  readonly view: ReadonlyView;
  readonly nodes: StoreNodes;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** How long a message of QoS ≥ 1 waits for an owner that takes it, in ms. */
  readonly waitTimeout: number;
  /** Bytes of unanswered batches per shard; what is beyond is answered 0x97, or dropped at QoS 0. */
  readonly maxUnansweredBytes: number;
  /** How long a call looks for an owner that answers, in ms; then it is `unavailable`. */
  readonly callTimeout: number;
  /** The same for read(), which holds a client's room for deliveries meanwhile, and is asked again. */
  readonly readTimeout: number;
}

/**
 * The port Shards over all store processes of the cluster, for one gateway. It knows who owns a shard
 * from the view of the control log, gives batches again where an owner has gone, and drops what former
 * owners say. known() and resume() are its own matter: the gateway needs neither.
 */
export class ClusterShards implements Shards {
  readonly countsLag = true;
  readonly counters: ShardsCounters = new ShardsCounters();
  readonly #options: ClusterShardsOptions;
  readonly #calls: OwnerCalls;
  readonly #counts: StoreCounts;
  readonly #ends: (() => void)[];
  #attachment: Attachment | undefined = undefined;
  #ticker: Timer | undefined = undefined;

  constructor(options: ClusterShardsOptions) {
    const { view, nodes } = options;
    this.#options = options;
    this.#calls = new OwnerCalls(options);
    this.#counts = new StoreCounts(view, nodes);
    this.#ends = [
      view.listen((changes, version) => this.#viewChanged(changes, version)),
      nodes.listen({
        connected: (store) => {
          this.#attachment?.attach(store);
          this.#calls.connected(store);
        },
        disconnected: (store) => {
          this.#attachment?.detached(store);
        },
      }),
    ];
  }

  /** Fixed when the cluster is created; 0 before anything is known of it. */
  get shards(): number {
    return this.#options.view.shards;
  }

  /** Nothing is asked of it any more. */
  close(): void {
    for (const end of this.#ends.splice(0)) end();
    if (this.#attachment !== undefined) this.unregister(this.#attachment.gateway);
  }

  /** One gateway at a time: another incarnation takes the place of the one before. */
  register(gateway: number, peer: ShardPeer): void {
    this.#attachment?.end();
    const { maxUnansweredBytes: maxBytes } = this.#options;
    const { counters } = this;
    this.#attachment = new Attachment(gateway, peer, { ...this.#options, counters, maxBytes });
    this.#tick();
  }

  unregister(gateway: number): void {
    if (this.#attachment?.gateway !== gateway) return;
    this.#attachment.end();
    this.#attachment = undefined;
    this.#ticker?.cancel();
  }

  known(): void {}

  resume(): void {}

  publish(batch: PublishBatch): void {
    this.#of(batch.gateway)?.publish(batch);
  }

  withdraw(batch: PublishBatch, index: number): void {
    this.#of(batch.gateway)?.lane(batch.shard).withdraw(batch, index);
  }

  acknowledged(gateway: number, number: number): void {
    this.#of(gateway)?.inbound.acknowledged(number);
  }

  async interests(gateway: number, changes: readonly InterestChange[]): Promise<readonly Offset[]> {
    const attachment = this.#of(gateway);
    if (attachment !== undefined) return attachment.interests(changes);
    throw new StoreError("invalid", `gateway ${gateway} is not registered`);
  }

  // --- calls ------------------------------------------------------------------------------------

  async read(requests: readonly ReadRequest[]): Promise<readonly ShardReadResult[]> {
    const shards = [...new Set(requests.map(({ shard }) => shard))];
    const results: ShardReadResult[] = [];
    await this.#calls.all(shards, this.#options.readTimeout, async (owner, owned) => {
      const places = [...requests.keys()].filter((i) => owned.includes(shardAt(requests, i)));
      const found = await owner.read(places.map((i) => requests[i] as ReadRequest));
      for (const [i, result] of found.entries()) {
        this.#refuseOutdated(shardAt(requests, places[i] as number), result.epoch);
      }
      for (const [i, place] of places.entries()) results[place] = found[i] as ShardReadResult;
    });
    return results;
  }

  /** The shards one after the other: a page ends with what one of them has. */
  async retained(request: RetainedRequest): Promise<ShardRetainedPage> {
    const { filter, shard: only, after } = request;
    const all = only === undefined ? shardsOfFilter(filter, this.shards) : [only];
    const shards = all.filter((shard) => shard >= (after?.shard ?? 0));
    for (const [i, shard] of shards.entries()) {
      const isBegun = after?.shard === shard && after.topic !== BEGINNING;
      const page = await this.#retainedOf({
        ...request,
        shard,
        after: isBegun ? after : undefined,
      });
      const next = shards[i + 1];
      if (page.next !== undefined || next === undefined) return page;
      if (page.messages.length > 0) return { ...page, next: { shard: next, topic: BEGINNING } };
    }
    return { epoch: 0, messages: [], next: undefined };
  }

  retainedAt(shard: number, topic: string, offset: Offset): Promise<Uint8Array | undefined> {
    return this.#call(shard, (owner) => owner.retainedAt(shard, topic, offset));
  }

  async receipts(
    session: number,
    shards: readonly number[] = [...Array(this.shards).keys()],
  ): Promise<readonly { readonly shard: number; readonly key: number }[]> {
    const { callTimeout } = this.#options;
    const found = await this.#calls.all(shards, callTimeout, (owner, owned) =>
      owner.receipts(session, owned),
    );
    return found.flat();
  }

  forget(shard: number, session: number, key: number): Promise<void> {
    return this.#call(shard, (owner) => owner.forget(shard, session, key));
  }

  settleDurably(filter: string, shard: number, offset: Offset): Promise<void> {
    return this.#call(shard, (owner) => owner.settleDurably(filter, shard, offset));
  }

  // --- shared subscriptions ---------------------------------------------------------------------

  join(gateway: number, member: ShareMember): void {
    this.#of(gateway)?.join(member);
  }

  leave(
    gateway: number,
    member: number,
    keep: readonly { readonly shard: number; readonly offset: Offset }[],
    returned: readonly Returned[],
  ): void {
    this.#of(gateway)?.leave(member, keep, returned);
  }

  settle(gateway: number, member: number, shard: number, offset: Offset): void {
    this.#of(gateway)?.settle(member, shard, offset);
  }

  /** The sum of what each store process that is up said last. */
  counts(): ShardCounts {
    const sum = this.#counts.sum();
    return { ...sum, dropped: sum.dropped + this.counters.dropped };
  }

  // --- inside -----------------------------------------------------------------------------------

  /** What others say has no effect, and nobody to hear of it. */
  #of(gateway: number): Attachment | undefined {
    return this.#attachment?.gateway === gateway ? this.#attachment : undefined;
  }

  #call<T>(shard: number, call: (owner: Shards) => Promise<T>): Promise<T> {
    return this.#calls.at(shard, this.#options.callTimeout, call);
  }

  #retainedOf(request: RetainedRequest & { readonly shard: number }): Promise<ShardRetainedPage> {
    const { shard } = request;
    return this.#call(shard, async (owner) => {
      const page = await owner.retained(request);
      this.#refuseOutdated(shard, page.epoch);
      return page;
    });
  }

  #refuseOutdated(shard: number, epoch: number): void {
    if (epoch >= this.#options.view.place(shard).epoch) return;
    throw new StoreError("not-owner", `shard ${shard} was read under a former epoch`);
  }

  #viewChanged(changes: readonly VersionedChange[], version: Version): void {
    for (const { change } of changes) {
      if (change.type === "store-down") this.#counts.down(change.incarnation);
    }
    this.#attachment?.viewChanged(changes, version);
    for (const { change } of changes) {
      if (change.type === "shard") this.#calls.moved(change.place.shard);
    }
  }

  #tick(): void {
    this.#ticker?.cancel();
    this.#ticker = this.#options.timers.set(TICK, () => {
      this.#attachment?.tick();
      this.#tick();
    });
  }
}

function shardAt(requests: readonly ReadRequest[], index: number): number {
  return (requests[index] as ReadRequest).shard;
}
