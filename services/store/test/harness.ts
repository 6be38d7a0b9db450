import { seededRandom, silentLogger } from "@canopy/base";
import { encodeRecord, RecordBatch, RecordView } from "@canopy/codec";
import type {
  GroupRoutes,
  QueueShard,
  RouteSink,
  SessionQueries,
  WillPublication,
} from "@canopy/session";
import {
  type Dispatch,
  type NotTaken,
  type Offset,
  type PublishBatch,
  type Push,
  type ShardPeer,
  type Shards,
  type ShareMember,
  type Store,
} from "@canopy/store";
import { MemoryDisk, MemoryStore } from "@canopy/store/memory";
import { FakeTime } from "@canopy/testkit";
import { type Topic, TopicTable } from "@canopy/topic";
import { createStoreService, type StoreService, type StoreServiceOptions } from "../src/index.ts";

export const SHARDS = 4;
const WAIT_TIMEOUT = 5_000;

export interface MessageOptions {
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly payload?: string;
  /** Message Expiry Interval, seconds. */
  readonly expiry?: number;
  readonly clientId?: string;
  /** Incarnation and packet identifier. */
  readonly receipt?: readonly [session: number, key: number];
}

export interface Sent extends MessageOptions {
  readonly topic: string;
}

/** A message as a gateway got it. */
export interface Got {
  readonly topic: string;
  readonly payload: string;
  readonly offset: Offset;
}

export interface Dispatched extends Got {
  readonly member: number;
  readonly shard: number;
}

/** What sessions would say, as a test sets it. */
export class FakeSessions implements SessionQueries {
  readonly filters = new Set<string>();
  readonly live = new Set<number>();
  /** `filter shard` → everything up to here is needed by nobody. */
  readonly low = new Map<string, number>();
  readonly unfinished = new Map<string, number[]>();

  /** Of the last route change that was told. */
  seq = 0;

  async routes(): Promise<GroupRoutes> {
    return { group: 1, term: 1, seq: this.seq, filters: [...this.filters] };
  }

  async lowest(asked: readonly QueueShard[]): Promise<readonly (number | undefined)[]> {
    return asked.map(({ filter, shard }) =>
      this.filters.has(filter) ? (this.low.get(`${filter} ${shard}`) ?? 0) : undefined,
    );
  }

  async sharedUnfinished(asked: readonly QueueShard[]): Promise<readonly (readonly number[])[]> {
    return asked.map(({ filter, shard }) => this.unfinished.get(`${filter} ${shard}`) ?? []);
  }

  async areLive(incarnations: readonly number[]): Promise<readonly boolean[]> {
    return incarnations.map((incarnation) => this.live.has(incarnation));
  }

  /** Changes as the group's leader tells them. */
  tell(sink: RouteSink, filters: readonly string[], add: boolean): Promise<void> {
    this.seq += filters.length;
    const changes = filters.map((filter) => ({ filter, add }));
    return sink.routes({ group: 1, term: 1, seq: this.seq, whole: false, changes });
  }
}

export function willOf(incarnation: number, epoch: number, record: Uint8Array): WillPublication {
  return { group: 1, term: 1, incarnation, epoch, record };
}

/** A gateway that writes everything down. */
export class RecordingPeer implements ShardPeer {
  readonly gateway: number;
  /** Everything in order, in words. */
  readonly trace: string[] = [];
  readonly pushed: Got[] = [];
  readonly pushes: {
    readonly epoch: number;
    readonly gateway: number;
    readonly seq: number;
    readonly count: number;
  }[] = [];
  readonly dispatched: Dispatched[] = [];
  readonly answers: {
    readonly batch: PublishBatch;
    readonly index: number;
    readonly code: number;
  }[] = [];
  readonly back: PublishBatch[] = [];
  onDispatch: ((dispatched: Dispatched) => void) | undefined;
  /** Whether it acknowledges what it gets at once. */
  acknowledges = true;
  /** Of the last push or dispatch. */
  number = 0;
  readonly #shards: Shards;
  readonly #view = new RecordView();

  constructor(gateway: number, shards: Shards) {
    this.gateway = gateway;
    this.#shards = shards;
  }

  /** Everything that it has got. */
  acknowledge(): void {
    this.#shards.acknowledged(this.gateway, this.number);
  }

  codes(): number[] {
    return this.answers.map(({ code }) => code);
  }

  payloads(): string[] {
    return this.pushed.map(({ payload }) => payload);
  }

  answered(batch: PublishBatch, index: number, code: number): void {
    this.trace.push(`answer ${index} 0x${code.toString(16).padStart(2, "0")}`);
    this.answers.push({ batch, index, code });
  }

  released(batch: PublishBatch): void {
    this.back.push(batch);
  }

  notTaken(batch: PublishBatch, reason: NotTaken): void {
    this.trace.push(`not taken ${batch.seq} ${reason}`);
    this.back.push(batch);
  }

  push(push: Push): void {
    this.#got(push.number);
    const { epoch, gateway, seq } = push;
    this.pushes.push({ epoch, gateway, seq, count: push.indexes.length });
    push.indexes.forEach((index, i) => {
      const { records } = push;
      const payload = this.#payload(records.bytes, records.starts[index]!, records.ends[index]!);
      this.trace.push(`push ${payload}`);
      this.pushed.push({ topic: records.topics[index]!.name, payload, offset: push.offsets[i]! });
    });
  }

  dispatch({ number, member, shard, offset, bytes, start, end, topic }: Dispatch): void {
    this.#got(number);
    const payload = this.#payload(bytes, start, end);
    this.trace.push(`dispatch ${member} ${payload}`);
    const dispatched = { member, shard, offset, topic: topic.name, payload };
    this.dispatched.push(dispatched);
    this.onDispatch?.(dispatched);
  }

  #got(number: number): void {
    if (number <= this.number) throw new Error(`number ${number} after ${this.number}`);
    this.number = number;
    if (this.acknowledges) this.acknowledge();
  }

  #payload(bytes: Buffer, start: number, end: number): string {
    const view = this.#view.set(bytes, start, end);
    return bytes.toString("utf8", view.payloadStart, view.payloadEnd);
  }
}

/** One shard owner, its disk, the sessions it asks and a clock that stands still. */
export class World {
  readonly time: FakeTime = new FakeTime();
  readonly disk: MemoryDisk = new MemoryDisk();
  readonly sessions: FakeSessions = new FakeSessions();
  topics: TopicTable = new TopicTable(SHARDS);
  readonly options: Partial<StoreServiceOptions>;
  store: Store;
  service: StoreService;
  #seq = 0;

  constructor(options: Partial<StoreServiceOptions> = {}) {
    this.options = options;
    this.store = options.store ?? new MemoryStore(this.disk);
    this.service = this.#make();
  }

  get shards(): Shards {
    return this.service.shards;
  }

  start(): Promise<void> {
    return this.service.start();
  }

  /** As after a crash: what is in memory is gone. */
  async restart(): Promise<void> {
    // The former owner is dead: whatever it still tries fails.
    const closed = this.store.close();
    this.store = this.options.store ?? new MemoryStore(this.disk);
    this.topics = new TopicTable(SHARDS);
    this.service = this.#make();
    await closed;
    await this.service.start();
  }

  register(gateway: number): RecordingPeer {
    const peer = new RecordingPeer(gateway, this.shards);
    this.shards.register(gateway, peer);
    return peer;
  }

  async subscribe(gateway: number, ...filters: string[]): Promise<readonly Offset[]> {
    return this.shards.interests(
      gateway,
      filters.map((filter) => ({ filter, add: true, transient: false })),
    );
  }

  /** Somebody transient is on the filters at QoS ≥ 1. */
  async await(gateway: number, ...filters: string[]): Promise<readonly Offset[]> {
    const changes = filters.map((filter) => ({ filter, add: true, transient: true }));
    return this.shards.interests(gateway, changes);
  }

  async unsubscribe(gateway: number, ...filters: string[]): Promise<void> {
    const changes = filters.map((filter) => ({ filter, add: false, transient: false }));
    await this.shards.interests(gateway, changes);
  }

  async route(...filters: string[]): Promise<void> {
    for (const filter of filters) this.sessions.filters.add(filter);
    await this.sessions.tell(this.service.routeSink, filters, true);
  }

  async unroute(...filters: string[]): Promise<void> {
    for (const filter of filters) this.sessions.filters.delete(filter);
    await this.sessions.tell(this.service.routeSink, filters, false);
  }

  topic(name: string): Topic {
    const topic = this.topics.internString(name);
    if (topic === undefined) throw new Error(`no topic name: ${name}`);
    return topic;
  }

  /** Names of topics that are in one shard. */
  neighbours(count: number): [string, string, ...string[]] {
    const names: string[] = [];
    for (let i = 0; names.length < count; i++) {
      if (this.topic(`t/${i}`).shard === 1) names.push(`t/${i}`);
    }
    return names as [string, string];
  }

  record(sent: Sent): Buffer {
    return encodeRecord({
      topic: this.topic(sent.topic),
      payload: Buffer.from(sent.payload ?? sent.topic),
      qos: sent.qos ?? 0,
      retain: sent.retain ?? false,
      expiry: sent.expiry,
      clientId: Buffer.from(sent.clientId ?? "publisher"),
      acceptedAt: this.time.wall(),
    });
  }

  /** One batch; all of its topics must be of one shard. */
  batch(gateway: number, messages: readonly Sent[]): PublishBatch {
    const records = new RecordBatch();
    const receiptSessions: number[] = [];
    const receiptKeys: number[] = [];
    let shard = -1;
    for (const sent of messages) {
      const topic = this.topic(sent.topic);
      if (shard >= 0 && topic.shard !== shard) throw new Error(`${sent.topic}: another shard`);
      shard = topic.shard;
      const record = this.record(sent);
      records.addRecord(record, 0, record.length, topic);
      receiptSessions.push(sent.receipt?.[0] ?? 0);
      receiptKeys.push(sent.receipt?.[1] ?? 0);
    }
    return { shard, gateway, seq: ++this.#seq, records, receiptSessions, receiptKeys };
  }

  /** A batch of this number, perhaps again. */
  give(gateway: number, seq: number, ...messages: Sent[]): PublishBatch {
    const batch = { ...this.batch(gateway, messages), seq };
    this.shards.publish(batch);
    return batch;
  }

  publish(gateway: number, ...messages: Sent[]): PublishBatch {
    const batch = this.batch(gateway, messages);
    this.shards.publish(batch);
    return batch;
  }

  /** Holds all appends until the returned function is called. */
  holdDisk(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.disk.gate = promise;
    return () => {
      this.disk.gate = undefined;
      resolve();
    };
  }

  async read(queue: string, shard: number, after = 0): Promise<Got[]> {
    const view = new RecordView();
    const [result] = await this.shards.read([
      { shard, queues: [{ queue, after }], messages: 1_000, bytes: 1_000_000 },
    ]);
    return result!.messages.map(({ offset, bytes: text, start, end }) => {
      view.set(text, start, end);
      return {
        topic: text.toString("utf8", view.topicStart + 2, view.topicEnd),
        payload: text.toString("utf8", view.payloadStart, view.payloadEnd),
        offset,
      };
    });
  }

  payload(body: Uint8Array): string {
    const view = new RecordView().set(body, 0, body.length);
    return Buffer.from(body).toString("utf8", view.payloadStart, view.payloadEnd);
  }

  #make(): StoreService {
    return createStoreService({
      store: this.store,
      shards: SHARDS,
      clock: this.time,
      timers: this.time,
      logger: silentLogger,
      queries: () => [this.sessions],
      limits: {
        maxQueuedMessages: 1_000_000,
        maxQueuedBytes: 2 ** 30,
        maxQueuedAge: 0,
        maxRetained: 0,
      },
      shared: { strategy: "least-inflight", strategies: {} },
      topics: this.topics,
      random: seededRandom(1),
      waitTimeout: WAIT_TIMEOUT,
      ...this.options,
    });
  }
}

export async function startedWorld(options: Partial<StoreServiceOptions> = {}): Promise<World> {
  const world = new World(options);
  await world.start();
  return world;
}

/** Everything that needs no more time has happened. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

export function member(
  number: number,
  filter: string,
  more: Partial<ShareMember> = {},
): ShareMember {
  return {
    member: number,
    filter,
    durable: false,
    qos: 1,
    clientId: `client-${number}`,
    window: 10,
    ...more,
  };
}
