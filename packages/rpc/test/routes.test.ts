/** The ports SessionQueries and RouteSink over real sockets. */
import {
  type GroupRoutes,
  type RouteBatch,
  type RouteSink,
  SessionError,
  type SessionQueries,
} from "@canopy/session";
import { StoreError } from "@canopy/store";
import { waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { RoutesOpeningSchema, RoutesPartSchema } from "../src/gen/canopy/session/v1/queries_pb.ts";
import {
  decodeMessage,
  encodeMessage,
  QueriesService,
  queriesOver,
  routesOver,
} from "../src/index.ts";
import { Fake, servePorts } from "./fake-ports.ts";
import { channelTo, ignoring } from "./setup.ts";

const GROUP = 2;

async function queriesPair() {
  const fake = new Fake<SessionQueries>();
  const server = await servePorts({ queries: new Map([[GROUP, fake.port]]) });
  const channel = await channelTo(server.address);
  return { fake, server, channel, queries: queriesOver(channel, GROUP) };
}

function routesOf(count: number): GroupRoutes {
  const filters = Array.from({ length: count }, (_, i) => `some/long/filter/of/device/${i}`);
  return { group: GROUP, term: 2 ** 40, seq: count, filters };
}

describe("queries", () => {
  test("are answered in their order, with what is not there left open", async () => {
    const { fake, queries } = await queriesPair();
    const asked = [
      { filter: "a", shard: 1 },
      { filter: "$share/g/ä", shard: 0 },
    ];
    fake.answer = () => [undefined, 2 ** 45];
    expect(await queries.lowest(asked)).toEqual([undefined, 2 ** 45]);
    fake.answer = () => [0];
    expect(await queries.lowest([])).toEqual([0]);
    fake.answer = () => [[1, 2 ** 50], []];
    expect(await queries.sharedUnfinished(asked)).toEqual([[1, 2 ** 50], []]);
    fake.answer = () => [true, false];
    expect(await queries.areLive([2 ** 33, 5])).toEqual([true, false]);
    expect(fake.asked.map(({ args }) => args)).toEqual([[asked], [[]], [asked], [[2 ** 33, 5]]]);
  });

  test.each([0, 1, 300_000])("routes come whole: %d", async (count) => {
    const { fake, queries } = await queriesPair();
    const routes = routesOf(count);
    fake.answer = () => routes;
    expect(await queries.routes(77)).toEqual(routes);
    expect(fake.first("routes")).toEqual([77]);
  });

  test("end with the error that was thrown, or as unavailable", async () => {
    const { fake, server, channel, queries } = await queriesPair();
    const calls = [
      () => queries.routes(1),
      () => queries.lowest([]),
      () => queries.sharedUnfinished([]),
      () => queries.areLive([]),
    ];
    const why = new SessionError("not-leader", "b leads", { leader: "b" });
    fake.answer = () => Promise.reject(why);
    for (const call of calls) await expect(call()).rejects.toEqual(why);
    const elsewhere = queriesOver(channel, 9);
    await expect(elsewhere.routes(1)).rejects.toMatchObject({ code: "not-leader" });
    fake.answer = () => new Promise(() => {});
    const hasty = queriesOver(channel, GROUP, { deadline: 30, routesDeadline: 30 });
    await expect(hasty.routes(1)).rejects.toMatchObject({ code: "unavailable" });
    await expect(hasty.areLive([])).rejects.toMatchObject({ code: "unavailable" });
    const outcomes = Promise.allSettled(calls.map((call) => call()));
    const before = fake.asked.length;
    await waitFor(() => fake.asked.length === before + calls.length);
    await server.stop();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ reason: { name: "SessionError", code: "unavailable" } });
    }
  });

  test("a reader that stands still is sent a window of routes, and the rest when it goes on", async () => {
    const { fake, channel } = await queriesPair();
    const routes = routesOf(100_000);
    fake.answer = () => routes;
    const window = 100_000;
    const parts: Buffer[] = [];
    let end: unknown = "not yet";
    const stream = await channel.open(QueriesService.method.routes, {
      opening: encodeMessage(RoutesOpeningSchema, { group: GROUP, after: 0n }),
      handler: {
        ...ignoring,
        window,
        onMessage: (part) => void parts.push(part),
        onClosed: (error) => {
          end = error;
        },
      },
    });
    const bytes = (): number => parts.reduce((sum, { length }) => sum + length, 0);
    await waitFor(() => bytes() >= window);
    const few = parts.length;
    expect(bytes()).toBeLessThan(2 * window);
    // Another call on the connection comes after whatever was sent before it.
    fake.answer = () => [];
    await queriesOver(channel, GROUP).areLive([]);
    expect(parts).toHaveLength(few);
    await waitFor(() => {
      stream.acknowledge(parts.length);
      return end !== "not yet";
    });
    expect(end).toBeUndefined();
    const filters = parts.flatMap((part) => decodeMessage(RoutesPartSchema, part).filters);
    expect(filters).toEqual(routes.filters);
  });

  test("routes that stop coming are not waited for without end", async () => {
    const { fake, channel } = await queriesPair();
    fake.answer = () => routesOf(1);
    // The end of the stream never comes.
    const silent: typeof channel.open = async (method, options) => {
      const { handler } = options;
      return channel.open(method, { ...options, handler: { ...handler, ...ignoring } });
    };
    const half = new Proxy(channel, {
      get: (target, name) => (name === "open" ? silent : Reflect.get(target, name)),
    });
    const routes = queriesOver(half, GROUP, { routesDeadline: 50 }).routes(0);
    await expect(routes).rejects.toMatchObject({ code: "unavailable" });
  });
});

async function sinkPair(window?: number) {
  const fake = new Fake<RouteSink>();
  const options = window === undefined ? {} : { window };
  const server = await servePorts({ sink: fake.port }, options);
  const channel = await channelTo(server.address);
  return { fake, server, channel, sink: routesOver(channel) };
}

function batchOf(count: number, seq = count): RouteBatch {
  const changes = Array.from({ length: count }, (_, i) => ({ filter: `a/b/${i}`, add: i !== 1 }));
  return { group: 3, term: 5, seq, whole: true, changes };
}

describe("what session groups ask of a store process", () => {
  test("arrives as it was asked", async () => {
    const { fake, sink } = await sinkPair();
    fake.answer = () => [undefined, 0, 2 ** 45, undefined];
    expect(await sink.heads()).toEqual([undefined, 0, 2 ** 45, undefined]);
    await sink.routes(batchOf(0));
    await sink.routes(batchOf(3));
    await sink.sessionsEnded([1, 2 ** 45]);
    const record = new Uint8Array(5 << 20).fill(3);
    const will = { group: 1, term: 2 ** 40, incarnation: 2 ** 41, epoch: 9, record };
    await sink.publishWill(will);
    expect(fake.asked.slice(0, 4)).toEqual([
      { method: "heads", args: [] },
      { method: "routes", args: [batchOf(0)] },
      { method: "routes", args: [batchOf(3)] },
      { method: "sessionsEnded", args: [[1, 2 ** 45]] },
    ]);
    const [published] = fake.first("publishWill") as [typeof will];
    expect(published).toMatchObject({ group: 1, term: 2 ** 40, incarnation: 2 ** 41, epoch: 9 });
    expect(Buffer.compare(published.record, record)).toBe(0);
  });

  test("many routes pass a small window whole, and wills beside them", async () => {
    const { fake, sink } = await sinkPair(10_000);
    const wills = Array.from({ length: 2_000 }, (_, i) => {
      return { group: 1, term: 1, incarnation: i, epoch: 1, record: new Uint8Array([i % 256]) };
    });
    await Promise.all([
      sink.routes(batchOf(100_000)),
      ...wills.map((will) => sink.publishWill(will)),
      sink.routes(batchOf(2, 100_002)),
    ]);
    expect(fake.first("routes")).toEqual([batchOf(100_000), batchOf(2, 100_002)]);
    expect(fake.first("publishWill")).toEqual(wills);
  });

  test("ends with the error that was thrown", async () => {
    const { fake, sink } = await sinkPair();
    const will = { group: 1, term: 1, incarnation: 1, epoch: 1, record: new Uint8Array() };
    const calls = [
      () => sink.heads(),
      () => sink.routes(batchOf(1)),
      () => sink.publishWill(will),
      () => sink.sessionsEnded([1]),
    ];
    for (const error of [
      new SessionError("stale", "a later leader is known"),
      new StoreError("full", "no room"),
    ]) {
      fake.answer = () => Promise.reject(error);
      for (const call of calls) await expect(call()).rejects.toEqual(error);
    }
    fake.answer = () => Promise.reject(new TypeError("a bug"));
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(SessionError);
  });

  test("is asked again by who asked where the store process went and returned", async () => {
    const { fake, server, channel, sink } = await sinkPair();
    const gate = Promise.withResolvers<void>();
    fake.answer = () => gate.promise;
    const lost = Promise.allSettled([sink.routes(batchOf(2))]);
    await waitFor(() => fake.asked.length === 1);
    await server.stop();
    expect(await lost).toMatchObject([{ reason: { code: "indeterminate" } }]);
    await waitFor(() => channel.state !== "ready");
    const next = new Fake<RouteSink>();
    await servePorts({ sink: next.port }, { address: server.address });
    await waitFor(() => channel.state === "ready");
    await sink.routes(batchOf(2));
    expect(next.first("routes")).toEqual([batchOf(2)]);
  });
});
