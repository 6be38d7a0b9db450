import type {
  InterestChange,
  Offset,
  PublishBatch,
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
import { StoreError } from "@canopy/store";
import { changeInterests } from "./interests.ts";
import type { GatewayLink } from "./link.ts";
import { type Parts, shardOf } from "./parts.ts";

/** What gateways ask of this process. */
export class ShardsPort implements Shards {
  readonly shards: number;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.shards = parts.shards.length;
    this.#parts = parts;
  }

  register(gateway: number, peer: ShardPeer): void {
    this.#parts.gateways.attach(gateway, peer);
  }

  unregister(gateway: number): void {
    this.#parts.gateways.detach(gateway);
  }

  known(gateway: number, version: number): void {
    if (this.#parts.gateways.get(gateway) === undefined) return;
    this.#parts.gateways.complete(gateway);
    this.#parts.openings.known(gateway, version);
  }

  resume(gateway: number, shard: number, epoch: number, seq: number): void {
    const link = this.#parts.gateways.get(gateway);
    if (link !== undefined) shardOf(this.#parts.shards, shard).resume(link, epoch, seq);
  }

  /** A batch of a gateway that is down has no effect, and nobody to hear of it. */
  publish(batch: PublishBatch): void {
    const link = this.#parts.gateways.get(batch.gateway);
    if (link === undefined) return;
    shardOf(this.#parts.shards, batch.shard).publish(link, batch, link.senders[batch.shard]);
  }

  acknowledged(gateway: number, number: number): void {
    this.#parts.gateways.get(gateway)?.acknowledge(number);
  }

  async interests(gateway: number, changes: readonly InterestChange[]): Promise<readonly Offset[]> {
    changeInterests(this.#parts.subscribers, this.#require(gateway), changes);
    const { shards } = this.#parts;
    const heads = shards.map(({ owner }) => (owner.assigned === 0 ? 0 : owner.head));
    await Promise.all(shards.map((shard) => shard.pipeline.barrier()));
    return this.#inTime(heads);
  }

  async read(requests: readonly ReadRequest[]): Promise<readonly ShardReadResult[]> {
    return this.#inTime(await this.#parts.reads.read(requests));
  }

  async retained(request: RetainedRequest): Promise<ShardRetainedPage> {
    return this.#inTime(await this.#parts.retained.page(request));
  }

  async retainedAt(shard: number, topic: string, offset: Offset): Promise<Uint8Array | undefined> {
    return this.#inTime(await this.#parts.retained.at(shard, topic, offset));
  }

  async receipts(
    session: number,
    shards?: readonly number[],
  ): Promise<readonly { readonly shard: number; readonly key: number }[]> {
    const all = this.#parts.shards;
    const asked = shards?.map((shard) => shardOf(all, shard)) ?? all;
    // Of one that is named nothing is said before it is known.
    if (shards !== undefined) for (const { owner } of asked) owner.require();
    const found = asked
      .filter((shard) => shard.receipts.has(session))
      .map(async ({ number, owner }) => {
        const keys = await owner.require().receipts(session);
        return keys.map((key) => ({ shard: number, key }));
      });
    return this.#inTime((await Promise.all(found)).flat());
  }

  forget(shard: number, session: number, key: number): Promise<void> {
    return shardOf(this.#parts.shards, shard).sideWrites.forget(session, key);
  }

  join(gateway: number, member: ShareMember): void {
    const link = this.#parts.gateways.get(gateway);
    if (link !== undefined) this.#parts.shares.join(link, member);
  }

  leave(
    gateway: number,
    member: number,
    keep: readonly { readonly shard: number; readonly offset: Offset }[],
    returned: readonly Returned[],
  ): void {
    const link = this.#parts.gateways.get(gateway);
    if (link !== undefined) this.#parts.shares.leave(link, member, keep, returned);
  }

  holds(gateway: number, member: number, shard: number, offsets: readonly Offset[]): void {
    const link = this.#parts.gateways.get(gateway);
    if (link !== undefined) this.#parts.shares.holds(link, member, shard, offsets);
  }

  settle(gateway: number, member: number, shard: number, offset: Offset): void {
    const link = this.#parts.gateways.get(gateway);
    if (link !== undefined) this.#parts.shares.settle(link, member, shard, offset);
  }

  async settleDurably(filter: string, shard: number, offset: Offset): Promise<void> {
    const { owner, isReady } = shardOf(this.#parts.shards, shard);
    owner.require();
    // What its last owner left of the group is not known yet, and would be written over.
    if (!isReady) throw new StoreError("unavailable", `shard ${shard} accepts nothing here`);
    const group = this.#parts.shares.get(filter);
    // Without a queue there is nothing that could be given to somebody again.
    if (group?.queue === undefined) return;
    const reader = group.reader(shard);
    reader.finish(offset);
    await this.#parts.progress.write(reader, group);
  }

  counts(): ShardCounts {
    const { shards, counters, limit } = this.#parts;
    let queuedMessages = 0;
    let queuedBytes = 0;
    for (const { queues } of shards) {
      queuedMessages += queues.messages;
      queuedBytes += queues.bytes;
    }
    const { storedMessages, notRetained } = counters;
    const dropped = counters.dropped + counters.refused + counters.undispatched;
    const retained = limit.count;
    return { retained, notRetained, queuedMessages, queuedBytes, dropped, storedMessages };
  }

  /** What was found is said while nobody else can own the shard. */
  #inTime<T>(found: T): T {
    if (this.#parts.ownership.valid()) return found;
    throw new StoreError("unavailable", "the lease of this process has ended");
  }

  #require(gateway: number): GatewayLink {
    const link = this.#parts.gateways.get(gateway);
    if (link === undefined) throw new StoreError("invalid", `gateway ${gateway} is not registered`);
    return link;
  }
}
