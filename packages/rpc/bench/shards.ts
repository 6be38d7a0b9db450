/**
 * What the port Shards costs over gRPC, between two processes: `pnpm --filter @canopy/rpc bench`.
 * Append: batches out, an answer for each message back. Push: messages in, acknowledgements back.
 * CPU is of both processes, each beside the other, in µs per message.
 */
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deferred, silentLogger } from "@canopy/base";
import type { PublishBatch, Push, ShardPeer, Shards } from "@canopy/store";
import { TopicTable } from "@canopy/topic";
import { RpcChannel, StoreLink } from "../src/index.ts";
import { batchOf, GATEWAY, SHARDS, STORE, topics } from "./shards-load.ts";
import type { News, Order } from "./shards-store.ts";

/** Batches of each shard on their way at once. */
const DEPTH = 4;
const SIZES = [1, 20, 200];
const MESSAGES: Readonly<Record<number, number>> = { 1: 200_000, 20: 1_000_000, 200: 2_000_000 };

class Store {
  readonly #child;
  readonly #listening = new Deferred<string>();
  #cpu = new Deferred<number>();

  constructor(address: string) {
    this.#child = fork(join(import.meta.dirname, "shards-store.ts"), [address], {
      execArgv: ["--conditions=source"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (news: News) => {
      if (news.type === "listening") this.#listening.resolve(news.address);
      else this.#cpu.resolve(news.micros);
    });
  }

  get address(): Promise<string> {
    return this.#listening.promise;
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  cpu(): Promise<number> {
    this.#cpu = new Deferred();
    this.order({ type: "cpu" });
    return this.#cpu.promise;
  }

  async stop(): Promise<void> {
    const ended = new Deferred<void>();
    this.#child.once("exit", () => ended.resolve());
    this.#child.disconnect();
    await ended.promise;
  }
}

/** Publishes again what it gets back, and counts. */
class Gateway implements ShardPeer {
  readonly #shards: Shards;
  #left = 0;
  #toPublish = 0;
  #done = new Deferred<void>();

  constructor(shards: Shards) {
    this.#shards = shards;
  }

  async append(size: number, messages: number): Promise<void> {
    this.#done = new Deferred();
    this.#left = messages;
    this.#toPublish = messages;
    for (let i = 0; i < DEPTH * SHARDS && this.#toPublish > 0; i++) {
      this.#toPublish -= size;
      this.#shards.publish(batchOf(size, i % SHARDS, topics));
    }
    await this.#done.promise;
  }

  async take(messages: number, order: () => void): Promise<void> {
    this.#done = new Deferred();
    this.#left = messages;
    order();
    await this.#done.promise;
  }

  answered(): void {
    this.#count(1);
  }

  released(batch: PublishBatch): void {
    if (this.#toPublish <= 0) return;
    this.#toPublish -= batch.records.count;
    this.#shards.publish(batch);
  }

  notTaken(): void {
    throw new Error("not taken");
  }

  push({ number, indexes }: Push): void {
    this.#count(indexes.length);
    this.#shards.acknowledged(GATEWAY, number);
  }

  dispatch(): void {}

  #count(messages: number): void {
    this.#left -= messages;
    if (this.#left <= 0) this.#done.resolve();
  }
}

async function measure(name: string, address: string): Promise<void> {
  const store = new Store(address);
  const channel = new RpcChannel({ address: await store.address, logger: silentLogger });
  const own = new TopicTable(SHARDS);
  const connected = new Deferred<void>();
  const link = new StoreLink({
    channel,
    store: STORE,
    topics: () => own,
    logger: silentLogger,
    onConnected: () => connected.resolve(),
  });
  await channel.start();
  await link.start();
  await connected.promise;
  const shards = link.port as Shards;
  const gateway = new Gateway(shards);
  shards.register(GATEWAY, gateway);
  for (const size of SIZES) {
    const messages = MESSAGES[size] ?? 0;
    const append = (count: number): Promise<void> => gateway.append(size, count);
    const push = (count: number): Promise<void> =>
      gateway.take(count, () => store.order({ type: "push", size, messages: count }));
    for (const [what, run] of [
      ["append", append],
      ["push", push],
    ] as const) {
      await run(messages / 10);
      await timed(`${name} ${what}, batches of ${size}`, messages, store, run);
    }
  }
  await link.stop();
  await channel.stop();
  await store.stop();
}

async function timed(
  what: string,
  messages: number,
  store: Store,
  run: (messages: number) => Promise<void>,
): Promise<void> {
  const theirs = await store.cpu();
  const ours = process.cpuUsage();
  const begin = performance.now();
  await run(messages);
  const seconds = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(ours);
  const gateway = ((user + system) / messages).toFixed(2);
  const storeSide = (((await store.cpu()) - theirs) / messages).toFixed(2);
  const rate = Math.round(messages / seconds).toLocaleString("en");
  process.stdout.write(`${what}: ${rate}/s, gateway ${gateway} µs, store ${storeSide} µs\n`);
}

const folder = await mkdtemp(join(tmpdir(), "canopy-bench-"));
try {
  await measure("TCP", "127.0.0.1:0");
  await measure("Unix", `unix:${join(folder, "store.sock")}`);
} finally {
  await rm(folder, { recursive: true });
}
