/** Links of gateways to a store process, over real sockets. */
import { type Shards, StoreError, type StoreErrorCode } from "@canopy/store";
import { TcpProxy, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { LinkOpeningSchema } from "../src/gen/canopy/store/v1/shards_pb.ts";
import { encodeMessage, type RpcStream, ShardsService } from "../src/index.ts";
import { costOf, encodeBatch } from "../src/store/batch.ts";
import { MAX_REQUESTS } from "../src/store/limits.ts";
import { MAX_TOPICS } from "../src/store/missed.ts";
import { Words } from "../src/store/words.ts";
import {
  arrived,
  FakeStore,
  gatewayOn,
  linkTo,
  message,
  messages,
  portOf,
  STORE,
  serveStore,
} from "./fake-store.ts";
import { channelTo } from "./setup.ts";
import { batchOf, topic } from "./store-values.ts";

const ONE = 11;
const TWO = 12;

async function codeOf(outcome: Promise<unknown>): Promise<StoreErrorCode | "done"> {
  try {
    await outcome;
    return "done";
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return error.code;
  }
}

/** What may be asked, with any arguments. */
function askAll(shards: Shards): Promise<string[]> {
  const page = { filter: "#", upTo: [], after: undefined, messages: 1, bytes: 1 };
  return Promise.all(
    [
      shards.interests(ONE, []),
      shards.read([]),
      shards.retained(page),
      shards.retainedAt(0, "a", 1),
      shards.receipts(1),
      shards.forget(0, 1, 1),
      shards.settleDurably("$share/g/a", 0, 1),
    ].map(codeOf),
  );
}

describe("order", () => {
  test("everything that a gateway says arrives in the order in which it was said", async () => {
    const store = new FakeStore();
    const linked = await linkTo((await serveStore(store)).address);
    const { shards } = await gatewayOn(store, linked, ONE);
    store.news();
    const member = {
      filter: "$share/g/a",
      durable: true,
      qos: 1,
      clientId: "c",
      window: 1,
    } as const;
    void shards.interests(ONE, [{ filter: "a", add: true, transient: true }]);
    shards.join(ONE, { ...member, member: 3 });
    shards.holds?.(ONE, 3, 0, [1, 2]);
    shards.known(ONE, 20);
    shards.resume(ONE, 0, 4, 5);
    shards.publish(batchOf(ONE, 5, 0, messages(2, 0)));
    shards.settle(ONE, 3, 0, 1);
    shards.publish(batchOf(ONE, 6, 0, messages(2, 0)));
    shards.leave(ONE, 3, [], []);
    void shards.forget(0, 1, 2);
    shards.unregister(ONE);
    await arrived(shards);
    expect(store.news()).toEqual([
      `interests ${ONE} a`,
      `join ${ONE} 3`,
      `holds ${ONE} 3 0: 1 2`,
      `known ${ONE} 20`,
      `resume ${ONE} 0 4 5`,
      `publish ${ONE} 0 5`,
      `settle ${ONE} 3 0 1`,
      `publish ${ONE} 0 6`,
      `leave ${ONE} 3`,
      "forget 0 1 2",
      `unregister ${ONE}`,
    ]);
  });

  test("what waits for room in a shard is not given behind a later resume(), but back", async () => {
    const store = new FakeStore();
    store.stuck.add(0);
    const linked = await linkTo((await serveStore(store)).address, { shardWindow: 100 });
    const gateway = await gatewayOn(store, linked, ONE);
    const { shards } = gateway;
    shards.resume(ONE, 0, 1, 1);
    for (const seq of [1, 2, 3]) shards.publish(batchOf(ONE, seq, 0, messages(2, 0)));
    shards.resume(ONE, 0, 2, 1);
    expect(gateway.news()).toEqual(["not taken 0 2 not-owner", "not taken 0 3 not-owner"]);
    shards.publish(batchOf(ONE, 1, 0, messages(2, 0)));
    await arrived(shards);
    const before = [`register ${ONE}`, `resume ${ONE} 0 1 1`, `publish ${ONE} 0 1`];
    expect(store.news()).toEqual([...before, `resume ${ONE} 0 2 1`]);
    const [first] = store.held;
    if (first !== undefined) store.peer(ONE).notTaken(first, "not-owner");
    await waitFor(() => store.held.length === 2);
    expect(gateway.news()).toEqual(["not taken 0 1 not-owner"]);
    expect(store.news()).toEqual([`publish ${ONE} 0 1`]);
  });

  test("a gateway that registers again hears nothing of what was before", async () => {
    const store = new FakeStore();
    store.stuck.add(0);
    const linked = await linkTo((await serveStore(store)).address);
    const gateway = await gatewayOn(store, linked, ONE);
    gateway.acknowledges = false;
    const { shards } = gateway;
    shards.publish(batchOf(ONE, 1, 0, messages(1, 0)));
    await arrived(shards);
    const former = store.peer(ONE);
    store.push(ONE, 1, messages(1, 0));
    await waitFor(() => gateway.number === 1);
    shards.register(ONE, gateway);
    store.news();
    // It is on its way when the process hears of it.
    store.push(ONE, 2, messages(1, 0));
    await arrived(shards);
    const [first] = store.held;
    if (first !== undefined) former.released(first);
    store.push(ONE, 1, messages(1, 0));
    gateway.news();
    await waitFor(() => gateway.news().includes("push 1: 0"));
    await arrived(shards);
    // Neither what it has had, nor what it never will, is acknowledged for it.
    expect(store.news()).toEqual([`register ${ONE}`]);
    gateway.acknowledge();
    await waitFor(() => store.news().includes(`acknowledged ${ONE} 1`));
  });
});

describe("the end of a link", () => {
  test("is the end of its gateway's registration, its batches and its calls", async () => {
    const store = new FakeStore();
    store.stuck.add(0);
    const server = await serveStore(store);
    const proxy = await new TcpProxy(server.address).start();
    const linked = await linkTo(proxy.address);
    const gateway = await gatewayOn(store, linked, ONE);
    const { shards } = gateway;
    shards.publish(batchOf(ONE, 1, 0, messages(1, 0)));
    store.answer = () => new Promise(() => {});
    const asked = askAll(shards);
    await waitFor(() => store.held.length === 1);
    proxy.cut();
    expect(await asked).toEqual(Array.from({ length: 7 }, () => "unavailable"));
    expect(linked.states).toEqual(["connected", "disconnected"]);
    await waitFor(() => store.told.includes(`unregister ${ONE}`));
    expect(gateway.news()).toEqual([]);
    expect(await codeOf(shards.forget(0, 1, 1))).toBe("unavailable");
    expect(await codeOf(shards.read([]))).toBe("unavailable");
    // A new one comes by itself.
    store.answer = async () => [];
    const again = await gatewayOn(store, linked, ONE);
    expect(again.shards).not.toBe(shards);
    expect(linked.states).toEqual(["connected", "disconnected", "connected"]);
  });

  test("does not end the registration over a later one", async () => {
    const store = new FakeStore();
    const { address } = await serveStore(store);
    const first = await linkTo(address);
    await gatewayOn(store, first, ONE);
    const second = await linkTo(address);
    const gateway = await gatewayOn(store, second, ONE);
    await waitFor(() => first.states.includes("disconnected"));
    await arrived(gateway.shards);
    expect(store.news()).toEqual([`register ${ONE}`, `register ${ONE}`]);
    gateway.shards.publish(batchOf(ONE, 1, 0, messages(1, 0)));
    await waitFor(() => gateway.told.includes("released 0 1"));
  });

  test("is found where the other side says nothing any more", async () => {
    const keepalive = { time: 50, timeout: 50 };
    const store = new FakeStore();
    const server = await serveStore(store, { keepalive });
    const proxy = await new TcpProxy(server.address).start();
    const linked = await linkTo(proxy.address, {}, { keepalive });
    await gatewayOn(store, linked, ONE);
    proxy.silence();
    await waitFor(() => linked.states.includes("disconnected"));
    await waitFor(() => store.told.includes(`unregister ${ONE}`));
  });

  test("can be asked for", async () => {
    const store = new FakeStore();
    const linked = await linkTo((await serveStore(store)).address);
    await gatewayOn(store, linked, ONE);
    linked.link.reset();
    expect(linked.link.port).toBeUndefined();
    await gatewayOn(store, linked, ONE);
    expect(linked.states).toEqual(["connected", "disconnected", "connected"]);
  });

  test("comes where the process is another one", async () => {
    let incarnation = STORE + 1;
    const store = new FakeStore();
    const { address } = await serveStore(store, { incarnation: () => incarnation });
    const linked = await linkTo(address);
    const other = await linkTo(address, { store: STORE + 1 });
    const shards = await portOf(other);
    expect(linked.states).toEqual([]);
    incarnation = STORE;
    expect(await codeOf(shards.read([]))).toBe("unavailable");
    await portOf(linked);
  });
});

describe("errors of the port", () => {
  const CODES = ["not-owner", "full", "unavailable", "corrupt", "invalid"] as const;
  test.each(CODES)("%s arrives as what it is", async (code) => {
    const store = new FakeStore();
    const linked = await linkTo((await serveStore(store)).address);
    const { shards } = await gatewayOn(store, linked, ONE);
    store.answer = () => Promise.reject(new StoreError(code, "why"));
    expect(await askAll(shards)).toEqual(Array.from({ length: 7 }, () => code));
  });

  test("what is none is unavailable", async () => {
    const store = new FakeStore();
    const linked = await linkTo((await serveStore(store)).address);
    const { shards } = await gatewayOn(store, linked, ONE);
    store.answer = () => Promise.reject(new TypeError("broken"));
    expect(await askAll(shards)).toEqual(Array.from({ length: 7 }, () => "unavailable"));
  });

  test("no answer in time is unavailable, but for interests, which wait", async () => {
    const store = new FakeStore();
    const linked = await linkTo((await serveStore(store)).address, { deadline: 100 });
    const { shards } = await gatewayOn(store, linked, ONE);
    const gate = Promise.withResolvers<number[]>();
    store.answer = () => gate.promise;
    const interests = shards.interests(ONE, []);
    expect(await codeOf(shards.forget(0, 1, 1))).toBe("unavailable");
    expect(await codeOf(shards.read([]))).toBe("unavailable");
    gate.resolve([7]);
    expect(await interests).toEqual([7]);
  });
});

describe("flow", () => {
  test("a shard that stands still holds up its own batches alone, and has at most a window of them", async () => {
    const store = new FakeStore();
    store.stuck.add(0);
    const linked = await linkTo((await serveStore(store)).address, { shardWindow: 10_000 });
    const gateway = await gatewayOn(store, linked, ONE);
    const { shards } = gateway;
    for (let seq = 1; seq <= 100; seq++) shards.publish(batchOf(ONE, seq, 0, messages(10, 0)));
    for (let seq = 1; seq <= 100; seq++) shards.publish(batchOf(ONE, seq, 1, messages(10, 1)));
    await waitFor(() => gateway.told.includes("released 1 100"));
    const costs = store.held.map(({ records }) => costOf(records));
    const sum = costs.reduce((all, one) => all + one, 0);
    expect(sum - (costs.at(-1) ?? 0)).toBeLessThan(10_000);
    expect(sum).toBeGreaterThanOrEqual(10_000);
    store.stuck.clear();
    for (const batch of store.held.splice(0)) store.release(batch);
    await waitFor(() => gateway.told.includes("released 0 100"));
    const order = gateway.news().filter((one) => one.startsWith("released 0"));
    expect(order).toEqual(Array.from({ length: 100 }, (_, i) => `released 0 ${i + 1}`));
  });

  test("without credit of the process shards take turns", async () => {
    const store = new FakeStore();
    const server = await serveStore(store, { window: 1_000 });
    const linked = await linkTo(server.address);
    const gateway = await gatewayOn(store, linked, ONE);
    const { shards } = gateway;
    store.news();
    for (let seq = 1; seq <= 20; seq++) shards.publish(batchOf(ONE, seq, 0, messages(20, 0)));
    shards.publish(batchOf(ONE, 1, 1, messages(20, 1)));
    shards.publish(batchOf(ONE, 1, 2, messages(20, 2)));
    await waitFor(() => gateway.told.includes("released 0 20"));
    const order = store.news();
    const inOrder = order.filter((one) => one.startsWith(`publish ${ONE} 0`));
    expect(inOrder).toEqual(Array.from({ length: 20 }, (_, i) => `publish ${ONE} 0 ${i + 1}`));
    expect(order.indexOf(`publish ${ONE} 1 1`)).toBeLessThan(6);
    expect(order.indexOf(`publish ${ONE} 2 1`)).toBeLessThan(6);
  });

  test("a gateway that is slow holds up nobody else, and is not pushed more than it lets", async () => {
    const store = new FakeStore();
    const { address } = await serveStore(store);
    const slow = await gatewayOn(store, await linkTo(address, { pushWindow: 20_000 }), ONE);
    const fast = await gatewayOn(store, await linkTo(address, { pushWindow: 20_000 }), TWO);
    slow.acknowledges = false;
    for (let number = 1; number <= 100; number++) {
      for (const gateway of [ONE, TWO]) store.push(gateway, number, messages(1, 0, 1, 1_000));
      await waitFor(() => fast.number === number);
    }
    await waitFor(() => store.told.includes(`acknowledged ${TWO} 100`));
    expect(slow.number).toBeLessThan(25);
    expect(fast.missing).toEqual([]);
    expect(store.told.filter((one) => one.startsWith(`acknowledged ${ONE}`))).toEqual([]);
    const last = slow.number;
    slow.news();
    // What it has is acknowledged; what it was not given, not before it has heard of that.
    slow.acknowledge();
    await waitFor(() => slow.missing.length > 0);
    expect(slow.news()).toEqual(["missed 100"]);
    const names = slow.missing[0]?.shards[0]?.topics?.map(({ name }) => name);
    expect(slow.missing).toMatchObject([{ number: 100, shards: [{ shard: 0, epoch: 1 }] }]);
    expect(names).toEqual(messages(1, 0).map(({ topic }) => topic.name));
    await waitFor(() => store.told.includes(`acknowledged ${ONE} ${last}`));
    expect(store.told).not.toContain(`acknowledged ${ONE} 100`);
    slow.acknowledge();
    await waitFor(() => store.told.includes(`acknowledged ${ONE} 100`));
    store.push(ONE, 101, messages(1, 0));
    await waitFor(() => slow.told.includes("push 101: 0"));
  });

  test("so many topics are missed that all are meant", async () => {
    const store = new FakeStore();
    const { address } = await serveStore(store);
    const slow = await gatewayOn(store, await linkTo(address, { pushWindow: 100 }), ONE);
    slow.acknowledges = false;
    const names = Array.from({ length: 9 * MAX_TOPICS }, (_, i) => topic(`t/${i}`));
    const found = names.filter(({ shard }) => shard === 0).slice(0, MAX_TOPICS + 20);
    expect(found).toHaveLength(MAX_TOPICS + 20);
    for (const [i, one] of found.entries()) store.push(ONE, i + 1, [{ topic: one }]);
    await waitFor(() => slow.number > 0);
    slow.acknowledge();
    await waitFor(() => slow.missing.length === 1);
    expect(slow.missing[0]?.shards).toEqual([{ shard: 0, epoch: 1, topics: undefined }]);
  });

  test("QoS 0 is dropped first, and counted, and nothing waits for it", async () => {
    const store = new FakeStore();
    const { address } = await serveStore(store);
    const slow = await gatewayOn(store, await linkTo(address), ONE);
    slow.acknowledges = false;
    let number = 0;
    const pushed = 9;
    for (; number < pushed; ) store.push(ONE, ++number, messages(1, 0, 0, 1 << 20));
    store.push(ONE, ++number, [...messages(1, 0, 0), ...messages(1, 0, 1)]);
    store.dispatch(ONE, ++number, message(0));
    await waitFor(() => slow.told.includes("push 10: 1"));
    expect(slow.news()).toEqual(["push 1: 0", "push 2: 0", "push 3: 0", "push 4: 0", "push 10: 1"]);
    expect(slow.missing).toEqual([]);
    await waitFor(() => slow.shards.counts().dropped === 7);
    slow.acknowledge();
    await waitFor(() => store.told.includes(`acknowledged ${ONE} 11`));
  });

  test("more dispatched than members may have in flight ends the link", async () => {
    const store = new FakeStore();
    const { address } = await serveStore(store);
    const linked = await linkTo(address, { pushWindow: 1_000 });
    const slow = await gatewayOn(store, linked, ONE);
    slow.acknowledges = false;
    const body = message(1, 1 << 20);
    for (let number = 1; number <= 10; number++) store.dispatch(ONE, number, body);
    await waitFor(() => slow.told.includes("dispatch 10 1"));
    for (let number = 11; number <= 20; number++) store.dispatch(ONE, number, body);
    await waitFor(() => linked.states.includes("disconnected"));
    expect(store.told).toContain(`unregister ${ONE}`);
    expect(store.told.filter((one) => one.startsWith("acknowledged"))).toEqual([]);
  });

  test("requests that wait are bounded", async () => {
    const store = new FakeStore();
    const linked = await linkTo((await serveStore(store)).address);
    const { shards } = await gatewayOn(store, linked, ONE);
    const gate = Promise.withResolvers<void>();
    store.answer = () => gate.promise;
    // Whether one is refused is known at once: nothing has to be said for that.
    const all = Array.from({ length: MAX_REQUESTS }, (_, i) => shards.forget(0, 1, i));
    expect(await codeOf(shards.forget(0, 1, 1))).toBe("unavailable");
    gate.resolve();
    await Promise.all(all);
    expect(await codeOf(shards.forget(0, 1, 1))).toBe("done");
  });
});

describe("what breaks the contract", () => {
  /** The two streams of a link, in the test's own hand. */
  async function byHand(address: string, shardWindow = 1_000n) {
    const channel = await channelTo(address);
    const ends: unknown[] = [];
    const caller = { id: 77n, stream: 1n };
    const opening = encodeMessage(LinkOpeningSchema, { store: BigInt(STORE), caller, shardWindow });
    const open = (method: Parameters<typeof channel.open>[0]): Promise<RpcStream> => {
      const handler = {
        onMessage: () => {},
        onClosed: (error: Error | undefined) => void ends.push(error),
      };
      return channel.open(method, { opening, handler });
    };
    const publish = await open(ShardsService.method.publish);
    const pushes = await open(ShardsService.method.pushes);
    return { publish, pushes, ends };
  }

  function registration(): Buffer {
    const words = new Words();
    words.register(TWO);
    return words.take()[0] as Buffer;
  }

  const record = encodeBatch(1, batchOf(TWO, 1, 0, messages(1, 0)));
  const elsewhere = encodeBatch(1, { ...batchOf(TWO, 1, 0, messages(1, 0)), shard: 1 });
  test.each([
    ["nothing that it knows", [Buffer.of(9)]],
    ["nothing at all", [Buffer.alloc(0)]],
    ["half a batch", [registration(), record.subarray(0, 20)]],
    ["a batch of nobody", [record]],
    ["a topic of another shard", [registration(), elsewhere]],
    ["more than a shard takes", [registration(), ...Array.from({ length: 40 }, () => record)]],
    ["a word that there is not", [Buffer.of(2, 99)]],
  ])("%s ends its link, and no other", async (_, said) => {
    const store = new FakeStore();
    store.stuck.add(0);
    const { address } = await serveStore(store);
    const linked = await linkTo(address);
    const gateway = await gatewayOn(store, linked, ONE);
    const { publish, ends } = await byHand(address);
    for (const message of said) publish.sendMark(message);
    await waitFor(() => ends.length === 2);
    expect(store.peers.has(TWO)).toBe(false);
    gateway.shards.publish(batchOf(ONE, 1, 1, messages(1, 1)));
    await waitFor(() => gateway.told.includes("released 1 1"));
    expect(linked.states).toEqual(["connected"]);
  });

  test("of the process ends the link for the gateway, which makes another", async () => {
    const store = new FakeStore();
    const linked = await linkTo((await serveStore(store)).address);
    await gatewayOn(store, linked, ONE);
    const peer = store.peer(ONE);
    const { bytes, ...records } = { ...batchOf(ONE, 1, 0, messages(1, 0)).records };
    const broken = { ...records, bytes: Buffer.alloc(bytes.length) };
    const of = { number: 1, shard: 0, epoch: 1, gateway: 0, seq: 0 };
    peer.push({ ...of, records: broken, indexes: [0], offsets: [0] });
    await waitFor(() => linked.states.length >= 3);
    expect(linked.states).toEqual(["connected", "disconnected", "connected"]);
  });

  test("a later link of the same caller ends the one before; an earlier one is refused", async () => {
    const store = new FakeStore();
    const { address } = await serveStore(store);
    const first = await byHand(address);
    first.publish.sendMark(registration());
    await waitFor(() => store.peers.has(TWO));
    const channel = await channelTo(address);
    const ends: unknown[] = [];
    const open = (stream: bigint): Promise<RpcStream> => {
      const caller = { id: 77n, stream };
      const opening = encodeMessage(LinkOpeningSchema, { store: BigInt(STORE), caller });
      const handler = { onMessage: () => {}, onClosed: (error?: Error) => void ends.push(error) };
      return channel.open(ShardsService.method.publish, { opening, handler });
    };
    await open(2n);
    await waitFor(() => first.ends.length === 2);
    expect(store.peers.has(TWO)).toBe(false);
    await expect(open(1n)).rejects.toThrow("a later link");
    expect(ends).toEqual([]);
  });
});

test("counts are those of a moment ago", async () => {
  const store = new FakeStore();
  const shards = await portOf(await linkTo((await serveStore(store)).address));
  await waitFor(() => shards.counts().retained === 3);
});
