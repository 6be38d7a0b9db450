import type { NotTaken, PublishBatch, Push, ShardPeer } from "@canopy/store";
import { MemoryDisk } from "@canopy/store/memory";
import fc from "fast-check";
import { expect, test } from "vitest";
import { settled } from "./harness.ts";
import { hold, StoreProcess } from "./process.ts";

const PUBLISHER = 11;
const SUBSCRIBER = 12;
const ERROR = 0x80;
/** Messages of a batch are fewer. */
const MOST = 100;

interface Given {
  readonly seq: number;
  readonly topics: readonly string[];
  readonly codes: (number | undefined)[];
}

/** The gateways, the control plane and the disk; store processes come and go. */
class Cluster {
  readonly disk = new MemoryDisk();
  readonly batches: Given[] = [];
  /** Keys of what the subscriber has got, in its order: number × {@link MOST} + index. */
  readonly received: number[] = [];
  process!: StoreProcess;
  epoch = 0;
  #version = 20;
  #watermark = 0;
  #release: () => void = () => {};
  #isPublishing = false;
  #isGivingAgain = false;
  #isSubscribing = false;
  #acknowledged: number | undefined = 0;
  /** What is sent to the subscriber is lost, until it is attached again. */
  #isCut = false;
  #isComplete = true;

  async start(): Promise<void> {
    this.process = new StoreProcess(this.disk);
    this.process.sessions.filters.add("kept");
    await this.process.start();
    for (const gateway of [PUBLISHER, SUBSCRIBER]) this.process.control.gatewayUp(gateway);
    this.own();
    this.attachSubscriber();
    this.completeSubscriber();
    this.attachPublisher();
  }

  get shard(): number {
    return this.process.topic("kept").shard;
  }

  get other(): string {
    for (let i = 0; ; i++) if (this.process.topic(`o/${i}`).shard === this.shard) return `o/${i}`;
  }

  /** The next epoch begins, with this process. */
  own(): void {
    this.#version++;
    this.epoch++;
    this.process.control.own(this.shard, this.epoch, this.#version).catch(() => {});
    if (this.#isSubscribing && this.#isComplete) {
      this.process.shards.known(SUBSCRIBER, this.#version);
    }
    if (this.#isPublishing) this.process.shards.known(PUBLISHER, this.#version);
    if (this.#isPublishing) this.#giveAgain();
  }

  async replace(): Promise<void> {
    this.process.lease.isValid = false;
    this.detachPublisher();
    this.detachSubscriber();
    await this.start();
  }

  publish(kept: readonly boolean[]): void {
    const topics = kept.map((isKept) => (isKept ? "kept" : this.other));
    const given = { seq: this.batches.length + 1, topics, codes: topics.map(() => undefined) };
    this.batches.push(given);
    if (this.#isPublishing) this.#give(given);
  }

  attachPublisher(): void {
    if (this.#isPublishing) return;
    this.#isPublishing = true;
    const { process } = this;
    const isPresent = (): boolean => this.#isPublishing && this.process === process;
    const peer: ShardPeer = {
      answered: ({ seq }, index, code, epoch) => {
        if (!isPresent() || epoch < this.epoch) return;
        const { codes } = this.batches[seq - 1] as Given;
        codes[index] ??= code;
      },
      released: () => {},
      notTaken: (_batch: PublishBatch, reason: NotTaken) => {
        if (isPresent() && reason !== "not-owner") this.#giveAgainSoon();
      },
      push: () => {},
      dispatch: () => {},
    };
    process.shards.register(PUBLISHER, peer);
    process.shards.known(PUBLISHER, this.#version);
    this.#giveAgain();
  }

  detachPublisher(): void {
    this.#isPublishing = false;
    this.process.shards.unregister(PUBLISHER);
  }

  attachSubscriber(): void {
    if (this.#isSubscribing) return;
    this.#isSubscribing = true;
    this.#isComplete = false;
    this.#isCut = false;
    this.#acknowledged = 0;
    const { process } = this;
    const isPresent = (): boolean => this.#isSubscribing && this.process === process;
    const peer: ShardPeer = {
      answered: () => {},
      released: () => {},
      notTaken: () => {},
      push: (push) => {
        if (isPresent() && !this.#isCut) this.#receive(push);
      },
      dispatch: () => {},
    };
    process.shards.register(SUBSCRIBER, peer);
  }

  /** A part of its interests. */
  say(filter: string): void {
    if (!this.#isSubscribing) return;
    const change = { filter, add: true, transient: true };
    this.process.shards.interests(SUBSCRIBER, [change]).catch(() => {});
  }

  completeSubscriber(): void {
    if (!this.#isSubscribing || this.#isComplete) return;
    this.#isComplete = true;
    this.say("#");
    this.process.shards.known(SUBSCRIBER, this.#version);
  }

  /** Its connection breaks, and nobody has noticed yet. */
  cutSubscriber(): void {
    this.#isCut = true;
  }

  detachSubscriber(): void {
    this.#isSubscribing = false;
    this.process.shards.unregister(SUBSCRIBER);
  }

  acknowledge(): void {
    if (this.#acknowledged === undefined || !this.#isSubscribing) return;
    this.process.shards.acknowledged(SUBSCRIBER, this.#acknowledged);
  }

  hold(): void {
    this.#release();
    this.#release = hold(this.disk);
  }

  release(): void {
    this.#release();
    this.#release = () => {};
  }

  /** Everything is well again: what was given is answered in the end. */
  async calm(): Promise<void> {
    this.disk.fault = undefined;
    this.release();
    // What a broken connection has lost is sent by the next one.
    if (this.#isCut) this.detachSubscriber();
    this.attachSubscriber();
    this.completeSubscriber();
    this.attachPublisher();
    for (let i = 0; i < 20 && (i === 0 || this.isOpen); i++) {
      this.own();
      await settled();
      this.process.time.advance(300);
      await settled();
      this.acknowledge();
    }
  }

  get isOpen(): boolean {
    return this.batches.some(({ codes }) => codes.includes(undefined));
  }

  get codes(): Map<number, number | undefined> {
    return new Map(
      this.batches.flatMap(({ seq, codes }) =>
        codes.map((code, index) => [seq * MOST + index, code] as const),
      ),
    );
  }

  #receive({ number, epoch, gateway, seq, indexes }: Push): void {
    this.#acknowledged = number;
    if (gateway !== PUBLISHER || epoch < this.epoch) return;
    for (const index of indexes) {
      const key = seq * MOST + index;
      if (key <= this.#watermark) continue;
      this.#watermark = key;
      this.received.push(key);
    }
  }

  /** Once for all that is not taken in one turn. */
  #giveAgainSoon(): void {
    if (this.#isGivingAgain) return;
    this.#isGivingAgain = true;
    setImmediate(() => {
      this.#isGivingAgain = false;
      this.#giveAgain();
    });
  }

  #giveAgain(): void {
    if (!this.#isPublishing) return;
    const open = this.batches.filter(({ codes }) => codes.includes(undefined));
    const first = open[0]?.seq ?? this.batches.length + 1;
    this.process.shards.resume(PUBLISHER, this.shard, this.epoch, first);
    for (const given of this.batches.slice(first - 1)) this.#give(given);
  }

  #give({ seq, topics, codes }: Given): void {
    const messages = topics.map((topic, i) => ({
      topic,
      payload: `${seq * MOST + i}`,
      qos: 1 as const,
    }));
    const batch = this.process.batch(PUBLISHER, messages);
    const { bytes, length, count, starts, ends } = batch.records;
    // What has its answer is taken out.
    const kept = starts.map((start, i) => (codes[i] === undefined ? start : (ends[i] as number)));
    const { topics: names } = batch.records;
    const records = { bytes, length, count, starts: kept, ends, topics: names };
    this.process.shards.publish({ ...batch, seq, records });
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }) },
  {
    weight: 10,
    arbitrary: fc.constantFrom(
      "settle",
      "settle",
      "acknowledge",
      "acknowledge",
      "hold",
      "release",
      "fault",
      "well",
      "own",
      "lose",
      "replace",
      "detach publisher",
      "attach publisher",
      "detach subscriber",
      "attach subscriber",
      "say kept",
      "say others",
      "complete subscriber",
      "complete subscriber",
      "cut subscriber",
    ),
  },
);

async function take(cluster: Cluster, done: typeof step extends fc.Arbitrary<infer T> ? T : never) {
  if (typeof done !== "string") {
    cluster.publish(done);
    return;
  }
  const actions: Record<typeof done, () => void | Promise<void>> = {
    settle: () => settled(),
    acknowledge: () => cluster.acknowledge(),
    hold: () => cluster.hold(),
    release: () => cluster.release(),
    fault: () => {
      cluster.disk.fault = "unavailable";
    },
    well: () => {
      cluster.disk.fault = undefined;
    },
    own: () => cluster.own(),
    lose: () => {
      void cluster.process.control.lose(cluster.shard);
    },
    replace: () => cluster.replace(),
    "detach publisher": () => cluster.detachPublisher(),
    "attach publisher": () => cluster.attachPublisher(),
    "detach subscriber": () => cluster.detachSubscriber(),
    "attach subscriber": () => cluster.attachSubscriber(),
    "say kept": () => cluster.say("kept"),
    "say others": () => cluster.say("o/#"),
    "complete subscriber": () => cluster.completeSubscriber(),
    "cut subscriber": () => cluster.cutSubscriber(),
  };
  await actions[done]();
}

test("whatever becomes of owners and connections: what is acknowledged is stored once and reaches the subscriber once, in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const cluster = new Cluster();
      await cluster.start();
      for (const done of steps) await take(cluster, done);
      await cluster.calm();
      expect(cluster.isOpen).toBe(false);
      const { codes } = cluster;
      const stored = (await cluster.process.read("kept", cluster.shard)).map(({ payload }) =>
        Number(payload),
      );
      const ascending = (keys: readonly number[]): number[] =>
        [...new Set(keys)].sort((a, b) => a - b);
      expect(stored).toEqual(ascending(stored));
      expect(cluster.received).toEqual(ascending(cluster.received));
      const topics = cluster.batches.flatMap((batch) => batch.topics);
      const safe = [...codes].filter(([, code]) => code !== undefined && code < ERROR);
      const kept = [...codes.keys()].filter((_, i) => topics[i] === "kept");
      const isSafe = new Set(safe.map(([key]) => key));
      expect(kept.filter((key) => isSafe.has(key) && !stored.includes(key))).toEqual([]);
      expect([...isSafe].filter((key) => !cluster.received.includes(key))).toEqual([]);
      await cluster.process.service.stop();
    }),
    { numRuns: 300 },
  );
}, 60_000);
