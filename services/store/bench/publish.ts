/**
 * What publishing costs in this service: `node --conditions=source services/store/bench/publish.ts`.
 * The backend does nothing, so that only the owner's own work is measured.
 */
import { seededRandom, silentLogger, systemClock, systemTimers } from "@canopy/base";
import { encodeRecord, RecordBatch } from "@canopy/codec";
import type { Append, PublishBatch, ShardPeer, ShardStore, Store } from "@canopy/store";
import { MemoryStore } from "@canopy/store/memory";
import { TopicTable } from "@canopy/topic";
import { createStoreService } from "../src/index.ts";

const TOPICS = 50;
const PAYLOAD = 32;
/** Batches under way at once. */
const DEPTH = 4;

/** Takes every append and keeps nothing. */
class Nowhere implements Store {
  readonly #store = new MemoryStore();

  epoch(shard: number): Promise<number> {
    return this.#store.epoch(shard);
  }

  async open(shard: number, epoch: number): Promise<ShardStore> {
    const opened = await this.#store.open(shard, epoch);
    return Object.assign(opened, { append: (_append: Append) => Promise.resolve() });
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

const topics = new TopicTable(1);
const service = createStoreService({
  store: new Nowhere(),
  shards: 1,
  clock: systemClock,
  timers: systemTimers,
  logger: silentLogger,
  queries: () => [
    {
      routes: async () => ({ group: 1, term: 1, seq: 0, filters: [] }),
      lowest: async (asked) => asked.map(() => 0),
      sharedUnfinished: async (asked) => asked.map(() => []),
      areLive: async (incarnations) => incarnations.map(() => true),
    },
  ],
  limits: {
    maxQueuedMessages: Number.MAX_SAFE_INTEGER,
    maxQueuedBytes: Number.MAX_SAFE_INTEGER,
    maxQueuedAge: 0,
    maxRetained: 0,
  },
  shared: { strategy: "least-inflight", strategies: {} },
  topics,
  random: seededRandom(1),
  waitTimeout: 5_000,
});
const { shards, routeSink } = service;

let released = 0;
let onReleased = (): void => {};
const peer: ShardPeer = {
  answered: () => {},
  released: () => {
    released++;
    onReleased();
  },
  notTaken: () => {},
  push: ({ number }) => shards.acknowledged(1, number),
  dispatch: ({ number, member, shard, offset }) => {
    shards.acknowledged(1, number);
    shards.settle(1, member, shard, offset);
  },
};

function batchOf(count: number, qos: 0 | 1 | 2, root: string, more = {}): PublishBatch {
  const records = new RecordBatch();
  for (let i = 0; i < count; i++) {
    const topic = topics.internString(`${root}/${i % TOPICS}`);
    if (topic === undefined) throw new Error("no topic name");
    const record = encodeRecord({
      topic,
      payload: Buffer.alloc(PAYLOAD, 1),
      qos,
      retain: false,
      clientId: Buffer.from("publisher"),
      acceptedAt: Date.now(),
      ...more,
    });
    records.addRecord(record, 0, record.length, topic);
  }
  const none = Array.from({ length: count }, () => 0);
  return { shard: 0, gateway: 1, seq: 1, records, receiptSessions: none, receiptKeys: none };
}

async function measure(name: string, batch: PublishBatch, messages = 3_000_000): Promise<void> {
  const rounds = Math.ceil(messages / batch.records.count / DEPTH);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3; run++) {
    const began = performance.now();
    for (let round = 0; round < rounds; round++) await publishAll(batch);
    const nanoseconds = (performance.now() - began) * 1e6;
    best = Math.min(best, nanoseconds / (rounds * DEPTH * batch.records.count));
  }
  console.log(`${name.padEnd(40)} ${best.toFixed(0).padStart(6)} ns per message`);
}

async function publishAll(batch: PublishBatch): Promise<void> {
  const goal = released + DEPTH;
  const { promise, resolve } = Promise.withResolvers<void>();
  onReleased = () => {
    if (released === goal) resolve();
  };
  for (let i = 0; i < DEPTH; i++) shards.publish(batch);
  await promise;
}

function addRoute(seq: number, filter: string): Promise<void> {
  const changes = [{ filter, add: true }];
  return routeSink.routes({ group: 1, term: 1, seq, whole: false, changes });
}

await service.start();
shards.register(1, peer);
await shards.interests(1, [{ filter: "#", add: true, transient: true }]);
await measure("QoS 0, batches of 100", batchOf(100, 0, "t"));
await measure("QoS 0, one by one", batchOf(1, 0, "t"));
await measure("QoS 1, nobody durable, batches of 100", batchOf(100, 1, "t"));
await measure("QoS 1, nobody durable, one by one", batchOf(1, 1, "t"));
await addRoute(1, "d/#");
await measure("QoS 1, one queue, batches of 100", batchOf(100, 1, "d"));
await measure("QoS 1, one queue, one by one", batchOf(1, 1, "d"), 1_000_000);
await measure("QoS 0, retained, batches of 100", batchOf(100, 0, "r", { retain: true }), 1_000_000);
for (let i = 1; i <= 10; i++) {
  const clientId = `client-${i}`;
  const filter = "$share/g/s/#";
  shards.join(1, { member: i, filter, durable: false, qos: 1, clientId, window: 100 });
}
await measure("QoS 1, shared by 10, batches of 100", batchOf(100, 1, "s"), 1_000_000);
await addRoute(2, "$share/g/s/#");
await measure("the same with a queue", batchOf(100, 1, "s"), 1_000_000);
await service.stop();
