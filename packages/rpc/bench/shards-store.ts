/** The store process of shards.ts: takes, answers and pushes, and does nothing beside it. */
import { silentLogger } from "@canopy/base";
import type { PublishBatch, ShardPeer, Shards } from "@canopy/store";
import { TopicTable } from "@canopy/topic";
import { RpcServer, ShardsService, shardsHandlers } from "../src/index.ts";
import { batchOf, GATEWAY, SHARDS, STORE, topics } from "./shards-load.ts";

/** Pushes on their way at once. */
const DEPTH = 64;

export type Order =
  | { readonly type: "push"; readonly size: number; readonly messages: number }
  | { readonly type: "cpu" };
export type News =
  | { readonly type: "listening"; readonly address: string }
  | { readonly type: "cpu"; readonly micros: number };

let peer: ShardPeer | undefined;
let pushed = 0;
let last = 0;
let batch: PublishBatch | undefined;

function pushMore(acknowledged: number): void {
  if (batch === undefined) return;
  const { records } = batch;
  const indexes = records.topics.map((_, i) => i);
  const offsets = indexes.map(() => 0);
  while (pushed < last && pushed - acknowledged < DEPTH) {
    const number = ++pushed;
    const of = { shard: batch.shard, epoch: 1, gateway: GATEWAY, seq: number };
    peer?.push({ ...of, number, records, indexes, offsets });
  }
}

// What is measured here needs no more of it.
const shards = {
  shards: SHARDS,
  register: (_gateway: number, registered: ShardPeer) => {
    peer = registered;
    pushed = 0;
    last = 0;
  },
  unregister: () => {},
  publish: (given: PublishBatch) => {
    for (let i = 0; i < given.records.count; i++) peer?.answered(given, i, 0, 1);
    peer?.released(given);
  },
  acknowledged: (_gateway: number, number: number) => pushMore(number),
  counts: () => {
    throw new Error("nobody asks");
  },
} as unknown as Shards;

function say(news: News): void {
  process.send?.(news);
}

const server = new RpcServer({ address: process.argv[2] ?? "127.0.0.1:0", logger: silentLogger });
const own = new TopicTable(SHARDS);
server.add(
  ShardsService,
  shardsHandlers({
    shards: () => shards,
    incarnation: () => STORE,
    topics: () => own,
    logger: silentLogger,
  }),
);
await server.start();
process.on("message", (order: Order) => {
  if (order.type === "cpu") {
    const { user, system } = process.cpuUsage();
    say({ type: "cpu", micros: user + system });
    return;
  }
  batch = batchOf(order.size, 0, topics);
  const acknowledged = pushed;
  last = pushed + Math.ceil(order.messages / order.size);
  pushMore(acknowledged);
});
process.on("disconnect", () => void server.stop());
say({ type: "listening", address: server.address });
