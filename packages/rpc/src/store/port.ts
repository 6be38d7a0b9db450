/** The port Shards of one store process, over a link: from its beginning to its end. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Logger, Timer, Timers } from "@canopy/base";
import {
  type InterestChange,
  type NotTaken,
  type Offset,
  type PublishBatch,
  type ReadRequest,
  type RetainedRequest,
  type ShardCounts,
  type ShardPeer,
  type ShardReadResult,
  type ShardRetainedPage,
  type Shards,
  StoreError,
} from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import type { RpcChannel } from "../channel.ts";
import type { UnaryMethod } from "../definition.ts";
import { asStoreError } from "../errors.ts";
import { Shards as Service } from "../gen/canopy/store/v1/shards_pb.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { type AnswersSink, readAnswers } from "./answers.ts";
import {
  fromCounts,
  fromReadResults,
  fromReceipts,
  fromRetainedPage,
  toRead,
  toRetained,
} from "./calls.ts";
import { Incoming } from "./incoming.ts";
import { COUNTS_AGE } from "./limits.ts";
import { Outbound } from "./outbound.ts";
import { Pending } from "./pending.ts";

export interface RemoteShardsOptions {
  readonly channel: RpcChannel;
  readonly publish: RpcStream;
  readonly pushes: RpcStream;
  readonly store: number;
  readonly topics: TopicTable;
  /** Of each shard, in bytes. */
  readonly shardWindow: number;
  /** Of calls, and of requests other than interests, ms. */
  readonly deadline: number;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** So many messages with answers are acknowledged at once. */
const ACKNOWLEDGED = 64;

const NO_COUNTS: ShardCounts = {
  retained: 0,
  queuedMessages: 0,
  queuedBytes: 0,
  dropped: 0,
  notRetained: 0,
  storedMessages: 0,
};

/** Its method withdraw() is absent, as a store process has none: who gives batches again answers for it. */
export class RemoteShards implements Shards, AnswersSink {
  readonly shards: number;
  readonly countsLag = true;
  /** Of the stream Publish. */
  readonly answers: Omit<StreamHandler, "onClosed"> = {
    onMessage: (message, number) => {
      readAnswers(message, this);
      // They use no credit: it is only so that the process may forget them.
      if (number % ACKNOWLEDGED === 0) this.#options.publish.acknowledge(number);
    },
    onReady: () => this.#out.onReady(),
  };
  /** Of the stream Pushes. */
  readonly pushed: Omit<StreamHandler, "onClosed"> = {
    onMessage: (message) => this.#in.onMessage(message),
  };
  readonly #options: RemoteShardsOptions;
  readonly #out: Outbound;
  readonly #in: Incoming;
  readonly #pending: Pending;
  readonly #calls = new Set<(error: StoreError) => void>();
  #gateway = 0;
  #peer: ShardPeer | undefined;
  #isClosed = false;
  #counts = NO_COUNTS;
  #isCounting = false;
  #counting: Timer | undefined;

  constructor(options: RemoteShardsOptions) {
    const { publish, pushes, topics, shardWindow, deadline, timers, logger } = options;
    this.shards = topics.shards;
    this.#options = options;
    this.#out = new Outbound(publish, shardWindow);
    this.#in = new Incoming(topics, logger, (messages) => pushes.acknowledge(messages));
    this.#pending = new Pending(deadline, timers);
    this.#ask();
  }

  /** Nothing is said any more, and no batch's buffers are used; what waits for an answer fails. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#leave();
    this.#counting?.cancel();
    const error = new StoreError(
      "unavailable",
      `the link to store ${this.#options.store} has ended`,
    );
    this.#pending.close(error);
    for (const reject of this.#calls) reject(error);
    this.#calls.clear();
  }

  // --- what the gateway says --------------------------------------------------------------------

  register(gateway: number, peer: ShardPeer): void {
    if (this.#isClosed) return;
    this.#out.reset();
    this.#in.attach(peer);
    this.#gateway = gateway;
    this.#peer = peer;
    this.#out.words.register(gateway);
  }

  unregister(gateway: number): void {
    if (!this.#is(gateway)) return;
    this.#leave();
    this.#out.words.unregister();
  }

  known(gateway: number, version: number): void {
    if (this.#is(gateway)) this.#out.words.known(version);
  }

  resume(gateway: number, shard: number, epoch: number, seq: number): void {
    if (!this.#is(gateway)) return;
    // What waits was given before, and would come behind this.
    const waiting = this.#out.takeWaiting(shard);
    this.#out.words.resume(shard, epoch, seq);
    for (const batch of waiting) this.#peer?.notTaken(batch, "not-owner");
  }

  publish(batch: PublishBatch): void {
    if (this.#is(batch.gateway)) this.#out.publish(batch);
  }

  acknowledged(gateway: number, number: number): void {
    if (this.#is(gateway)) this.#in.acknowledged(number);
  }

  async interests(gateway: number, changes: readonly InterestChange[]): Promise<readonly Offset[]> {
    if (this.#isClosed) throw new StoreError("unavailable", "the link has ended");
    if (!this.#is(gateway)) {
      throw new StoreError("invalid", `gateway ${gateway} is not registered`);
    }
    const heads = await this.#pending.ask(false, (request) =>
      this.#out.words.interests(request, changes),
    );
    return heads ?? [];
  }

  async forget(shard: number, session: number, key: number): Promise<void> {
    await this.#request((request) => this.#out.words.forget(request, shard, session, key));
  }

  async settleDurably(filter: string, shard: number, offset: Offset): Promise<void> {
    await this.#request((request) => this.#out.words.settleDurably(request, filter, shard, offset));
  }

  join(...[gateway, member]: Parameters<Shards["join"]>): void {
    if (this.#is(gateway)) this.#out.words.join(member);
  }

  leave(...[gateway, member, keep, returned]: Parameters<Shards["leave"]>): void {
    if (this.#is(gateway)) this.#out.words.leave(member, keep, returned);
  }

  holds(gateway: number, member: number, shard: number, offsets: readonly Offset[]): void {
    if (this.#is(gateway)) this.#out.words.holds(member, shard, offsets);
  }

  settle(gateway: number, member: number, shard: number, offset: Offset): void {
    if (this.#is(gateway)) this.#out.words.settle(member, shard, offset);
  }

  // --- calls ------------------------------------------------------------------------------------

  async read(requests: readonly ReadRequest[]): Promise<readonly ShardReadResult[]> {
    const message = toRead(this.#options.store, requests);
    return this.#call(Service.method.read, message, fromReadResults);
  }

  async retained(request: RetainedRequest): Promise<ShardRetainedPage> {
    const message = toRetained(this.#options.store, request);
    return this.#call(Service.method.retained, message, fromRetainedPage);
  }

  async retainedAt(shard: number, topic: string, offset: Offset): Promise<Uint8Array | undefined> {
    const message = { store: this.#store, shard, topic, offset: BigInt(offset) };
    return this.#call(Service.method.retainedAt, message, ({ record }) => record);
  }

  async receipts(
    session: number,
    shards?: readonly number[],
  ): Promise<readonly { readonly shard: number; readonly key: number }[]> {
    const all = shards === undefined;
    const message = {
      store: this.#store,
      session: BigInt(session),
      all,
      shards: [...(shards ?? [])],
    };
    return this.#call(Service.method.receipts, message, fromReceipts);
  }

  /** As they were a moment ago: asking makes them be asked for. */
  counts(): ShardCounts {
    this.#ask();
    return this.#counts;
  }

  // --- what the process says --------------------------------------------------------------------

  answered(id: number, first: number, count: number, code: number, epoch: number): void {
    const peer = this.#peer;
    for (let index = first; index < first + count; index++) {
      // It may be over within the call.
      const batch = this.#out.batch(id);
      if (batch === undefined || peer === undefined) return;
      peer.answered(batch, index, code, epoch);
    }
  }

  released(id: number): void {
    const batch = this.#out.back(id);
    if (batch !== undefined) this.#peer?.released(batch);
  }

  notTaken(id: number, reason: NotTaken): void {
    const batch = this.#out.back(id);
    if (batch !== undefined) this.#peer?.notTaken(batch, reason);
  }

  done(request: number, heads: readonly Offset[] | undefined): void {
    this.#pending.done(request, heads);
  }

  failed(request: number, error: StoreError): void {
    this.#pending.failed(request, error);
  }

  // --- inside -----------------------------------------------------------------------------------

  get #store(): bigint {
    return BigInt(this.#options.store);
  }

  /** What others say has no effect, and nobody to hear of it. */
  #is(gateway: number): boolean {
    return this.#gateway === gateway && this.#peer !== undefined;
  }

  #leave(): void {
    this.#peer = undefined;
    this.#gateway = 0;
    this.#out.reset();
    this.#in.detach();
  }

  async #request(say: (request: number) => void): Promise<void> {
    if (this.#isClosed) throw new StoreError("unavailable", "the link has ended");
    await this.#pending.ask(true, say);
  }

  #call<I extends DescMessage, O extends DescMessage, T>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
    read: (answer: MessageShape<O>) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(new StoreError("unavailable", "the link has ended"));
        return;
      }
      this.#calls.add(reject);
      const { channel, deadline } = this.#options;
      channel
        .call(method, request, { deadline })
        .then((answer) => resolve(read(answer)))
        .catch((error: unknown) => reject(asStoreError(error)))
        .finally(() => this.#calls.delete(reject));
    });
  }

  #ask(): void {
    if (this.#isCounting || this.#isClosed) return;
    this.#isCounting = true;
    this.#call(Service.method.counts, { store: this.#store }, fromCounts)
      .then(
        (counts) => {
          this.#counts = counts;
        },
        () => {},
      )
      .finally(() => {
        if (this.#isClosed) return;
        this.#counting = this.#options.timers.set(COUNTS_AGE, () => {
          this.#isCounting = false;
        });
      });
  }
}
