import type { Topic } from "@canopy/topic";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { Offset, StoreErrorCode } from "../../port.ts";
import type {
  Dispatch,
  NotTaken,
  PublishBatch,
  Push,
  Records,
  ShardPeer,
  ShardReadResult,
  Shards,
} from "../../shards.ts";

export interface SentMessage {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

/** One store process that owns nothing at first, and a hand in what it is told. */
export interface ShardsHarness {
  /** How many there are. */
  readonly shards: number;
  /** What a gateway calls: a connection of its own where there are connections. */
  connect(gateway: number): Promise<Shards>;
  /** The control log: settles when the process has heard of it (of a shard: when it accepts batches). */
  gatewayUp(gateway: number): Promise<void>;
  gatewayDown(gateway: number): Promise<void>;
  own(shard: number, epoch: number, version: number): Promise<void>;
  lose(shard: number): Promise<void>;
  /** A durable session has the filter; settles when it is in force. */
  route(filter: string): Promise<void>;
  topic(name: string): Topic;
  /** A record of the codec, and the payload in one. */
  record(message: SentMessage): Buffer;
  payload(record: Uint8Array): string;
  /** Appends wait until the returned function is called. */
  hold(): () => void;
  /** Appends fail with this; undefined: no more. */
  fail(code: StoreErrorCode | undefined): void;
  /** Whatever was said by or to the process has arrived. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

export type MakeShardsHarness = () => Promise<ShardsHarness>;

export interface GotMessage {
  readonly payload: string;
  readonly offset: Offset;
  readonly seq: number;
  readonly epoch: number;
}

/** A gateway that writes everything down. */
export class Gateway implements ShardPeer {
  readonly gateway: number;
  readonly shards: Shards;
  readonly #harness: ShardsHarness;
  acknowledges = true;
  readonly got: GotMessage[] = [];
  readonly numbers: number[] = [];
  readonly dispatched: {
    readonly member: number;
    readonly payload: string;
    readonly offset: Offset;
  }[] = [];
  /** In words, in order: `3.0 00` is the answer 0x00 to message 0 of batch 3, `3 gap` was not taken. */
  readonly answers: string[] = [];
  readonly back: number[] = [];
  #seqs: number[] = [];

  constructor(harness: ShardsHarness, gateway: number, shards: Shards) {
    this.#harness = harness;
    this.gateway = gateway;
    this.shards = shards;
  }

  get payloads(): string[] {
    return this.got.map(({ payload }) => payload);
  }

  /** All messages are of one shard. The number follows that of the last one if none is given. */
  publish(messages: readonly SentMessage[], seq?: number): PublishBatch {
    const { shard } = this.#harness.topic((messages[0] as SentMessage).topic);
    const number = seq ?? (this.#seqs[shard] ?? 0) + 1;
    this.#seqs[shard] = number;
    const batch = {
      shard,
      gateway: this.gateway,
      seq: number,
      records: this.#records(messages),
      receiptSessions: messages.map(() => 0),
      receiptKeys: messages.map(() => 0),
    };
    this.shards.publish(batch);
    return batch;
  }

  acknowledge(): void {
    this.shards.acknowledged(this.gateway, this.numbers.at(-1) ?? 0);
  }

  /** Settles when the interests are in force. */
  subscribe(transient: boolean, ...filters: string[]): Promise<readonly Offset[]> {
    const changes = filters.map((filter) => ({ filter, add: true, transient }));
    return this.shards.interests(this.gateway, changes);
  }

  answered({ seq }: PublishBatch, index: number, reasonCode: number): void {
    this.answers.push(`${seq}.${index} ${reasonCode.toString(16).padStart(2, "0")}`);
  }

  released({ seq }: PublishBatch): void {
    this.back.push(seq);
  }

  notTaken({ seq }: PublishBatch, reason: NotTaken): void {
    this.answers.push(`${seq} ${reason}`);
    this.back.push(seq);
  }

  push({ number, records, indexes, offsets, seq, epoch }: Push): void {
    for (const [i, index] of indexes.entries()) {
      const start = records.starts[index] as number;
      const body = records.bytes.subarray(start, records.ends[index]);
      const payload = this.#harness.payload(body);
      this.got.push({ payload, offset: offsets[i] as Offset, seq, epoch });
    }
    this.#number(number);
  }

  dispatch({ number, member, bytes, start, end, offset }: Dispatch): void {
    const payload = this.#harness.payload(bytes.subarray(start, end));
    this.dispatched.push({ member, payload, offset });
    this.#number(number);
  }

  #number(number: number): void {
    this.numbers.push(number);
    if (this.acknowledges) this.acknowledge();
  }

  #records(messages: readonly SentMessage[]): Records {
    const bodies = messages.map((message) => this.#harness.record(message));
    const bytes = Buffer.concat(bodies);
    const starts: number[] = [];
    const ends: number[] = [];
    let at = 0;
    for (const { length } of bodies) {
      starts.push(at);
      ends.push((at += length));
    }
    const topics = messages.map(({ topic }) => this.#harness.topic(topic));
    return { bytes, length: bytes.length, count: messages.length, starts, ends, topics };
  }
}

/** The shard that all messages of the suite go to, and its epoch at first. */
export const EPOCH = 3;
export const VERSION = 5;
export const TOPIC = "a";
/** Incarnations of gateways: they joined after the shards were given. */
export const ONE = 11;
export const TWO = 12;

export class ShardsBench {
  readonly harness: ShardsHarness;

  constructor(harness: ShardsHarness) {
    this.harness = harness;
  }

  get shard(): number {
    return this.harness.topic(TOPIC).shard;
  }

  /** A topic of the same shard. */
  get neighbour(): string {
    for (let i = 0; ; i++) if (this.harness.topic(`n/${i}`).shard === this.shard) return `n/${i}`;
  }

  /** Owns everything under {@link EPOCH}. */
  async ownAll(): Promise<void> {
    const all = Array.from({ length: this.harness.shards }, (_, shard) => shard);
    await Promise.all(all.map((shard) => this.harness.own(shard, EPOCH, VERSION)));
  }

  /** Attached, and live by the control log. */
  async attach(gateway: number): Promise<Gateway> {
    await this.harness.gatewayUp(gateway);
    const made = new Gateway(this.harness, gateway, await this.harness.connect(gateway));
    made.shards.register(gateway, made);
    return made;
  }

  /** A gateway that gives batches again. */
  async resumed(gateway: number, seq = 1): Promise<Gateway> {
    const made = await this.attach(gateway);
    made.shards.resume(gateway, this.shard, EPOCH, seq);
    return made;
  }
}

/** A process for each test. */
export function useShards(makeHarness: MakeShardsHarness): () => ShardsBench {
  let bench: ShardsBench;
  beforeEach(async () => {
    bench = new ShardsBench(await makeHarness());
  });
  afterEach(() => bench.harness.stop());
  return () => bench;
}

export function message(payload: string, more: Partial<SentMessage> = {}): SentMessage {
  return { topic: TOPIC, payload, qos: 1, retain: false, ...more };
}

/** What is expected comes, sooner or later. */
export async function comes(check: () => void): Promise<void> {
  await vi.waitFor(check, { timeout: 5_000, interval: 1 });
}

/** Reads a queue of the suite's shard to its end. */
export async function readAll(
  { harness, shard }: ShardsBench,
  gateway: Gateway,
  queue: string,
): Promise<ShardReadResult & { readonly payloads: readonly string[] }> {
  const request = { shard, queues: [{ queue, after: 0 }], messages: 1_000, bytes: 2 ** 30 };
  const [result] = await gateway.shards.read([request]);
  if (result === undefined) return expect.fail("one answer for one request");
  const payloads = result.messages.map(({ bytes, start, end }) =>
    harness.payload(bytes.subarray(start, end)),
  );
  return { ...result, payloads };
}
