/** A store process that does what the test says, and gateways' links to it. */
import { silentLogger } from "@canopy/base";
import {
  type Dispatch,
  type InterestChange,
  type Missed,
  type NotTaken,
  type PublishBatch,
  type Push,
  type ShardPeer,
  type Shards,
  StoreError,
} from "@canopy/store";
import { testScope, waitFor } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import {
  type RpcChannelOptions,
  RpcServer,
  type RpcServerOptions,
  ShardsService,
  StoreLink,
  type StoreLinkOptions,
  shardsHandlers,
} from "../src/index.ts";
import { channelTo } from "./setup.ts";
import { ofShard, recordsOf, type Said, SHARDS, topics } from "./store-values.ts";

export const STORE = 5;

const NO_COUNTS = {
  retained: 0,
  queuedMessages: 0,
  queuedBytes: 0,
  dropped: 0,
  notRetained: 0,
  storedMessages: 0,
};

export class FakeStore implements Shards {
  readonly shards = SHARDS;
  readonly peers = new Map<number, ShardPeer>();
  /** What it was told, in words and in order. */
  readonly told: string[] = [];
  /** Shards that answer nothing. */
  readonly stuck = new Set<number>();
  /** Of stuck shards, in order. */
  readonly held: PublishBatch[] = [];
  /** Answers to requests and calls; a promise may wait. */
  answer: (method: string) => Promise<unknown> = async () => [];

  peer(gateway: number): ShardPeer {
    const peer = this.peers.get(gateway);
    if (peer === undefined) throw new Error(`gateway ${gateway} is not registered`);
    return peer;
  }

  register(gateway: number, peer: ShardPeer): void {
    this.told.push(`register ${gateway}`);
    this.peers.set(gateway, peer);
  }

  unregister(gateway: number): void {
    this.told.push(`unregister ${gateway}`);
    this.peers.delete(gateway);
  }

  known(gateway: number, version: number): void {
    this.told.push(`known ${gateway} ${version}`);
  }

  resume(gateway: number, shard: number, epoch: number, seq: number): void {
    this.told.push(`resume ${gateway} ${shard} ${epoch} ${seq}`);
  }

  publish(batch: PublishBatch): void {
    this.told.push(`publish ${batch.gateway} ${batch.shard} ${batch.seq}`);
    if (this.stuck.has(batch.shard)) this.held.push(batch);
    else this.release(batch);
  }

  /** Every message is answered. */
  release(batch: PublishBatch): void {
    const peer = this.peer(batch.gateway);
    for (let i = 0; i < batch.records.count; i++) peer.answered(batch, i, 0, 1);
    peer.released(batch);
  }

  acknowledged(gateway: number, number: number): void {
    this.told.push(`acknowledged ${gateway} ${number}`);
  }

  async interests(gateway: number, changes: readonly InterestChange[]): Promise<number[]> {
    this.told.push(`interests ${gateway} ${changes.map(({ filter }) => filter).join(" ")}`);
    return (await this.answer("interests")) as number[];
  }

  async read(): Promise<never[]> {
    return (await this.answer("read")) as never[];
  }

  async retained(): Promise<never> {
    return (await this.answer("retained")) as never;
  }

  async retainedAt(): Promise<undefined> {
    await this.answer("retainedAt");
  }

  async receipts(): Promise<never[]> {
    return (await this.answer("receipts")) as never[];
  }

  async forget(shard: number, session: number, key: number): Promise<void> {
    this.told.push(`forget ${shard} ${session} ${key}`);
    await this.answer("forget");
  }

  async settleDurably(): Promise<void> {
    await this.answer("settleDurably");
  }

  join(gateway: number, { member }: { readonly member: number }): void {
    this.told.push(`join ${gateway} ${member}`);
  }

  leave(gateway: number, member: number): void {
    this.told.push(`leave ${gateway} ${member}`);
  }

  holds(gateway: number, member: number, shard: number, offsets: readonly number[]): void {
    this.told.push(`holds ${gateway} ${member} ${shard}: ${offsets.join(" ")}`);
  }

  settle(gateway: number, member: number, shard: number, offset: number): void {
    this.told.push(`settle ${gateway} ${member} ${shard} ${offset}`);
  }

  counts(): typeof NO_COUNTS {
    return { ...NO_COUNTS, retained: 3 };
  }

  /** What it was told since the last time. */
  news(): string[] {
    return this.told.splice(0);
  }

  /** A push of one sender; the number of the messages is that of `bodies`. */
  push(gateway: number, number: number, bodies: readonly Said[], shard = 0): void {
    const records = recordsOf(bodies);
    const indexes = bodies.map((_, i) => i);
    const offsets = indexes.map(() => 0);
    const of = { number, shard, epoch: 1, gateway: 99, seq: number };
    this.peer(gateway).push({ ...of, records, indexes, offsets });
  }

  dispatch(gateway: number, number: number, body: Said): void {
    const { bytes, length } = recordsOf([body]);
    const place = { number, member: 1, shard: 0, epoch: 1, offset: 0, topic: body.topic };
    this.peer(gateway).dispatch({ ...place, bytes, start: 0, end: length });
  }
}

/** A gateway that writes everything down. */
export class FakeGateway implements ShardPeer {
  readonly gateway: number;
  readonly shards: Shards;
  /** Acknowledges what it gets at once. */
  acknowledges = true;
  /** What it was told, in words and in order. */
  readonly told: string[] = [];
  readonly missing: Missed[] = [];
  number = 0;

  constructor(gateway: number, shards: Shards) {
    this.gateway = gateway;
    this.shards = shards;
  }

  answered({ shard, seq }: PublishBatch, index: number, code: number, epoch: number): void {
    this.told.push(`answered ${shard} ${seq}.${index} ${code} ${epoch}`);
  }

  released({ shard, seq }: PublishBatch): void {
    this.told.push(`released ${shard} ${seq}`);
  }

  notTaken({ shard, seq }: PublishBatch, reason: NotTaken): void {
    this.told.push(`not taken ${shard} ${seq} ${reason}`);
  }

  push({ number, indexes }: Push): void {
    this.told.push(`push ${number}: ${indexes.join(" ")}`);
    this.#number(number);
  }

  dispatch({ number, member }: Dispatch): void {
    this.told.push(`dispatch ${number} ${member}`);
    this.#number(number);
  }

  missed(missed: Missed): void {
    this.missing.push(missed);
    this.told.push(`missed ${missed.number}`);
    this.#number(missed.number);
  }

  #number(number: number): void {
    this.number = number;
    if (this.acknowledges) this.acknowledge();
  }

  acknowledge(): void {
    this.shards.acknowledged(this.gateway, this.number);
  }

  /** What it was told since the last time. */
  news(): string[] {
    return this.told.splice(0);
  }
}

export async function serveStore(
  store: FakeStore,
  options: Partial<RpcServerOptions> & { readonly incarnation?: () => number } = {},
): Promise<RpcServer> {
  const server = new RpcServer({ address: "127.0.0.1:0", logger: silentLogger, ...options });
  server.add(
    ShardsService,
    shardsHandlers({
      shards: () => store,
      incarnation: options.incarnation ?? (() => STORE),
      topics: () => topics,
      logger: silentLogger,
    }),
  );
  const scope = testScope();
  await server.start();
  scope.defer(() => server.stop());
  return server;
}

export interface Linked {
  readonly link: StoreLink;
  /** `connected` and `disconnected`, as they were said. */
  readonly states: string[];
}

export async function linkTo(
  address: RpcChannelOptions["address"],
  options: Partial<StoreLinkOptions> = {},
  channelOptions: Partial<RpcChannelOptions> = {},
): Promise<Linked> {
  const scope = testScope();
  const channel = await channelTo(address, channelOptions);
  const states: string[] = [];
  const own = new TopicTable(SHARDS);
  const link = new StoreLink({
    channel,
    store: STORE,
    topics: () => own,
    logger: silentLogger,
    onConnected: () => void states.push("connected"),
    onDisconnected: () => void states.push("disconnected"),
    ...options,
  });
  scope.defer(() => link.stop());
  await link.start();
  return { link, states };
}

export async function portOf({ link }: Linked): Promise<Shards> {
  await waitFor(() => link.port !== undefined);
  return link.port as Shards;
}

/** Registered, and the process knows. */
export async function gatewayOn(
  store: FakeStore,
  linked: Linked,
  gateway: number,
): Promise<FakeGateway> {
  const made = new FakeGateway(gateway, await portOf(linked));
  made.shards.register(gateway, made);
  await arrived(made.shards);
  store.peer(gateway);
  return made;
}

/** Whatever was said before, by this gateway and to it on the same stream, has arrived. */
export async function arrived(shards: Shards): Promise<void> {
  try {
    await shards.settleDurably("$share/nobody/x", 0, 1);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}

/** So many messages of a shard. */
export function messages(count: number, shard: number, qos: 0 | 1 | 2 = 1, bytes = 1): Said[] {
  const payload = "x".repeat(bytes);
  return Array.from({ length: count }, (_, i) => ({ topic: ofShard(shard, i % 3), qos, payload }));
}

/** One of shard 0. */
export function message(qos: 0 | 1 | 2, bytes = 1): Said {
  return { topic: ofShard(0), qos, payload: "x".repeat(bytes) };
}
