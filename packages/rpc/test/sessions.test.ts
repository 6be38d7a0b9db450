/** The port Sessions over real sockets. */
import {
  type GatewayPeer,
  type SessionCounts,
  SessionError,
  type SessionErrorCode,
  type Sessions,
} from "@canopy/session";
import { freePort, waitFor } from "@canopy/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AttachOpeningSchema,
  BatchesOpeningSchema,
} from "../src/gen/canopy/session/v1/session_pb.ts";
import {
  encodeMessage,
  NodeSessions,
  type NodeSessionsOptions,
  type RpcChannel,
  type RpcServer,
  SessionsService,
} from "../src/index.ts";
import { FakeSessions, openedEmpty, progressOf, servePorts } from "./fake-ports.ts";
import * as any from "./session-values.ts";
import { channelTo, ignoring } from "./setup.ts";

const GROUP = 2;
const GATEWAY = 7;
const idlePeer: GatewayPeer = { stop: () => {} };
const { method } = SessionsService;

interface Pair {
  readonly fake: FakeSessions;
  readonly server: RpcServer;
  readonly channel: RpcChannel;
  readonly node: NodeSessions;
  readonly sessions: Sessions;
}

async function pair(options: NodeSessionsOptions = {}, window?: number): Promise<Pair> {
  const fake = new FakeSessions();
  const ports = { sessions: new Map([[GROUP, fake.port]]) };
  const server = await servePorts(ports, window === undefined ? {} : { window });
  const channel = await channelTo(server.address);
  const node = new NodeSessions(channel, options);
  return { fake, server, channel, node, sessions: node.group(GROUP) };
}

/** Every call of the port but attach(), with any values. */
async function askAll(sessions: Sessions): Promise<PromiseSettledResult<unknown>[]> {
  const [request] = fc.sample(any.openRequest, 1) as [Parameters<Sessions["open"]>[0]];
  const [release] = fc.sample(any.releaseRequest, 1) as [Parameters<Sessions["release"]>[0]];
  return Promise.allSettled([
    sessions.open(request),
    sessions.withdraw(request),
    sessions.release(release),
    sessions.subscribe({ incarnation: 1, epoch: 1, subscriptions: [] }),
    sessions.unsubscribe({ incarnation: 1, epoch: 1, filters: ["f"], draining: [] }),
    sessions.counts(),
    sessions.progress([]),
    sessions.deliveries([]),
  ]);
}

function codes(outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return outcomes.map((outcome) => {
    if (outcome.status === "fulfilled") return "done";
    expect(outcome.reason).toBeInstanceOf(SessionError);
    return (outcome.reason as SessionError).code;
  });
}

describe("calls", () => {
  test("arrive as they were made, and their answers as they were given", async () => {
    const { fake, sessions } = await pair();
    const withdrawn = any.openRequest.map(({ clientId, gateway, requestId }) => {
      return { clientId, gateway, requestId };
    });
    const subscribe = fc.record({
      incarnation: any.number,
      epoch: any.number,
      subscriptions: fc.array(any.newSubscription, { maxLength: 3 }),
    });
    const subscribed = fc.record({
      subscriptions: fc.array(any.subscription, { maxLength: 3 }),
      existed: fc.array(fc.boolean()),
    });
    const counts: fc.Arbitrary<SessionCounts> = fc.record({
      sessions: any.number,
      connected: any.number,
      durable: any.number,
      subscriptions: any.number,
    });
    const none = fc.constant(undefined);
    const cases: [
      Exclude<keyof Sessions, "groupOf">,
      fc.Arbitrary<unknown>,
      fc.Arbitrary<unknown>,
    ][] = [
      ["open", any.openRequest, any.opened],
      ["withdraw", withdrawn, none],
      ["release", any.releaseRequest, none],
      ["subscribe", subscribe, subscribed],
      ["unsubscribe", any.unsubscribeRequest, fc.array(fc.boolean())],
      ["counts", none, counts],
      ["progress", fc.array(any.progress), none],
      ["deliveries", fc.array(any.deliveries), none],
    ];
    for (const [name, request, answer] of cases) {
      const call = sessions[name].bind(sessions) as (request: unknown) => Promise<unknown>;
      const property = fc.asyncProperty(request, answer, async (asked, given) => {
        fake.answer = () => given;
        expect(await call(asked)).toEqual(given);
        expect(fake.asked.splice(0)).toEqual([
          { method: name, args: asked === undefined ? [] : [asked] },
        ]);
      });
      await fc.assert(property, { numRuns: 20 });
    }
  });

  test("are about one group; one that is not on the node is asked for elsewhere", async () => {
    const fakes = [new FakeSessions(), new FakeSessions()] as const;
    const server = await servePorts({
      sessions: new Map(fakes.map(({ port }, i) => [i + 1, port])),
    });
    const node = new NodeSessions(await channelTo(server.address));
    await node.group(2).progress([]);
    await node.group(1).release({
      ...progressOf(1),
      will: "drop",
      expiry: undefined,
      unfinished: [],
    });
    expect(fakes.map(({ asked }) => asked.map(({ method: name }) => name))).toEqual([
      ["release"],
      ["progress"],
    ]);
    expect(new Set(codes(await askAll(node.group(3))))).toEqual(new Set(["not-leader"]));
    await expect(node.group(3).attach(GATEWAY, idlePeer)).rejects.toMatchObject({
      code: "not-leader",
    });
  });

  test("end with the error that was thrown: its class, code, message and leader", async () => {
    const { fake, sessions } = await pair();
    const all: Record<SessionErrorCode, true> = {
      stale: true,
      "taken-over": true,
      unavailable: true,
      "not-leader": true,
      indeterminate: true,
      overloaded: true,
      closed: true,
    };
    for (const code of Object.keys(all) as SessionErrorCode[]) {
      const leader = code === "not-leader" ? "nodé 2" : undefined;
      fake.answer = () => Promise.reject(new SessionError(code, `because of ${code}`, { leader }));
      const outcomes = await askAll(sessions);
      expect(codes(outcomes)).toEqual(outcomes.map(() => code));
      for (const outcome of outcomes) {
        const { reason } = outcome as PromiseRejectedResult;
        expect(reason).toMatchObject({ message: `because of ${code}`, leader });
      }
      await expect(sessions.attach(GATEWAY, idlePeer)).rejects.toMatchObject({ code, leader });
    }
    fake.answer = () => Promise.reject(new TypeError("a bug"));
    expect(new Set(codes(await askAll(sessions)))).toEqual(new Set(["indeterminate"]));
  });

  test("that are not answered end in time, as perhaps done", async () => {
    const { fake, channel, sessions } = await pair({ deadline: 300, longDeadline: 300 });
    await waitFor(() => channel.state === "ready");
    fake.answer = () => new Promise(() => {});
    expect(new Set(codes(await askAll(sessions)))).toEqual(new Set(["indeterminate"]));
    await expect(sessions.attach(GATEWAY, idlePeer)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("without a connection were not made", async () => {
    const channel = await channelTo(`127.0.0.1:${await freePort()}`);
    const sessions = new NodeSessions(channel).group(GROUP);
    await waitFor(() => channel.state === "waiting");
    expect(new Set(codes(await askAll(sessions)))).toEqual(new Set(["unavailable"]));
    await expect(sessions.attach(GATEWAY, idlePeer)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("a server that goes and returns: what was under way is perhaps done, what follows is", async () => {
    const { fake, server, channel, sessions } = await pair();
    fake.answer = () => new Promise(() => {});
    const outcomes = askAll(sessions);
    await waitFor(() => fake.asked.length === 8);
    await server.stop();
    expect(new Set(codes(await outcomes))).toEqual(new Set(["indeterminate"]));
    fake.answer = () => openedEmpty;
    fake.asked.length = 0;
    const { address } = server;
    await servePorts({ sessions: new Map([[GROUP, fake.port]]) }, { address });
    await waitFor(() => channel.state === "ready");
    const [request] = fc.sample(any.openRequest, 1) as [Parameters<Sessions["open"]>[0]];
    expect(await sessions.open(request)).toEqual(openedEmpty);
    await sessions.progress([progressOf(1)]);
    expect(fake.first("progress")).toEqual([[progressOf(1)]]);
  });
});

describe("large messages", () => {
  test("a will of megabytes, and a session with all that it may have", async () => {
    const { fake, sessions } = await pair();
    const [request] = fc.sample(any.openRequest, 1) as [Parameters<Sessions["open"]>[0]];
    const record = new Uint8Array(6 << 20).fill(7);
    const opened = {
      ...openedEmpty,
      unfinished: Array.from({ length: 65_535 }, (_, i) => ({
        packetId: i + 1,
        qos: 2 as const,
        received: i % 2 === 0,
        source: "queue" as const,
        queue: "a/long/filter/#",
        shard: i % 16,
        offset: i,
      })),
    };
    fake.answer = () => opened;
    const will = { record, delay: 1, expiry: undefined };
    expect(await sessions.open({ ...request, will })).toEqual(opened);
    expect(Buffer.compare(fake.first("open").map(recordOf)[0]!, record)).toBe(0);
  });

  function recordOf(request: unknown): Uint8Array {
    return (request as { will: { record: Uint8Array } }).will.record;
  }

  test("progress of 50,000 sessions passes a window of 64 KiB, in order", async () => {
    const { fake, sessions } = await pair({}, 64 << 10);
    const batch = Array.from({ length: 50_000 }, (_, i) => progressOf(i, [`filter/${i}`]));
    await sessions.progress(batch);
    expect(fake.first("progress").flat()).toEqual(batch);
  });
});

describe("batches", () => {
  test("are handed over in order and answered in any", async () => {
    const { fake, sessions } = await pair();
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    fake.answer = ({ method: name }) => {
      if (name === "progress") return gates.shift()?.promise;
      throw new SessionError("overloaded", "not now");
    };
    const [first, second] = [...gates];
    const settled: string[] = [];
    const a = sessions.progress([progressOf(1)]).then(() => settled.push("a"));
    const b = sessions.progress([progressOf(2)]).then(() => settled.push("b"));
    await expect(sessions.deliveries([])).rejects.toMatchObject({ code: "overloaded" });
    expect(settled).toEqual([]);
    second?.resolve();
    await b;
    first?.resolve();
    await a;
    expect(settled).toEqual(["b", "a"]);
    expect(fake.first("progress")).toEqual([[progressOf(1)], [progressOf(2)]]);
  });

  test("a group that stands still holds at most a window; more waits here, and too much is refused", async () => {
    const window = 20_000;
    const { fake, sessions } = await pair({ maxWaiting: 50_000 }, window);
    const gate = Promise.withResolvers<void>();
    fake.answer = () => gate.promise;
    const batch = [progressOf(1, ["f".repeat(4_000)])];
    const outcomes = Array.from({ length: 100 }, () =>
      sessions.progress(batch).then(
        () => "done",
        ({ code }: SessionError) => code,
      ),
    );
    await waitFor(() => fake.asked.length >= 5);
    expect(await outcomes.at(-1)).toBe("overloaded");
    expect(fake.asked.length * 4_000).toBeLessThanOrEqual(window + 4_100);
    gate.resolve();
    const all = await Promise.all(outcomes);
    const done = all.filter((outcome) => outcome === "done").length;
    expect(done).toBe(fake.asked.length);
    expect(done).toBeGreaterThan(10);
    expect(done).toBeLessThan(20);
    expect(all.every((outcome) => outcome === "done" || outcome === "overloaded")).toBe(true);
    await sessions.progress(batch);
  });

  test("what is given up while it waits is not sent, and holds up nothing", async () => {
    const { fake, channel, sessions } = await pair({ deadline: 300 }, 10);
    await waitFor(() => channel.state === "ready");
    const gate = Promise.withResolvers<void>();
    fake.answer = () => gate.promise;
    const sent = sessions.progress([progressOf(1)]);
    const waiting = sessions.progress([progressOf(2)]);
    const results = await Promise.allSettled([sent, waiting]);
    expect(codes(results)).toEqual(["indeterminate", "unavailable"]);
    gate.resolve();
    await sessions.progress([progressOf(3)]);
    expect(fake.first("progress")).toEqual([[progressOf(1)], [progressOf(3)]]);
  });

  test("a later stream of a caller ends the one before, and refuses it when it comes late", async () => {
    const { fake, channel } = await pair();
    const closed: unknown[] = [];
    const open = (stream: number) =>
      channel.open(method.batches, {
        opening: encodeMessage(BatchesOpeningSchema, {
          group: GROUP,
          caller: { id: 5n, stream: BigInt(stream) },
        }),
        handler: { ...ignoring, onClosed: (error) => closed.push(error) },
      });
    await open(4);
    const later = await open(6);
    await waitFor(() => closed.length === 1);
    expect(closed[0]).toMatchObject({ code: "unavailable" });
    await expect(open(5)).rejects.toMatchObject({ code: "unavailable" });
    expect(later.isClosed).toBe(false);
    expect(fake.asked).toEqual([]);
  });

  test("what is no batch is answered with an error, and harms no other", async () => {
    const { channel, sessions } = await pair();
    const answers: Buffer[] = [];
    const opening = encodeMessage(BatchesOpeningSchema, { group: GROUP, caller: { id: 9n } });
    const handler = { ...ignoring, onMessage: (message: Buffer) => answers.push(message) };
    const stream = await channel.open(method.batches, { opening, handler });
    stream.send(Buffer.from("nonsense"));
    await waitFor(() => answers.length === 1);
    expect(stream.isClosed).toBe(false);
    await sessions.progress([]);
  });
});

describe("attaching", () => {
  test("is done when the group knows the gateway; from then on it is asked to stop sessions", async () => {
    const { fake, sessions } = await pair();
    const known = Promise.withResolvers<void>();
    fake.answer = () => known.promise;
    const stops: unknown[] = [];
    let isAttached = false;
    const attached = sessions
      .attach(GATEWAY, { stop: (...args) => stops.push(args) })
      .then(() => (isAttached = true));
    await waitFor(() => fake.peers.length === 1);
    expect(fake.first("attach")).toEqual([GATEWAY]);
    expect(isAttached).toBe(false);
    known.resolve();
    await attached;
    fake.peers[0]?.stop(5, 2 ** 40, "taken-over");
    fake.peers[0]?.stop(6, 1, "deleted");
    await waitFor(() => stops.length === 2);
    expect(stops).toEqual([
      [5, 2 ** 40, "taken-over"],
      [6, 1, "deleted"],
    ]);
  });

  test("ends where the group is led elsewhere, or the server is gone", async () => {
    const { fake, server, sessions } = await pair();
    const ended: SessionError[] = [];
    const peer = { stop: () => {}, ended: (error: SessionError) => void ended.push(error) };
    await sessions.attach(GATEWAY, peer);
    fake.peers[0]?.ended?.(new SessionError("not-leader", "b leads", { leader: "b" }));
    await waitFor(() => ended.length === 1);
    expect(ended[0]).toMatchObject({ code: "not-leader", leader: "b" });
    await sessions.attach(GATEWAY, peer);
    await server.stop();
    await waitFor(() => ended.length === 2);
    expect(ended[1]).toBeInstanceOf(SessionError);
    expect(ended[1]).toMatchObject({ code: "unavailable" });
  });

  test("a later peer of the gateway replaces the one before, which is told nothing", async () => {
    const { fake, sessions } = await pair();
    const told: string[] = [];
    const peer = (name: string): GatewayPeer => ({
      stop: () => told.push(`${name} stop`),
      ended: () => told.push(`${name} ended`),
    });
    await sessions.attach(GATEWAY, peer("a"));
    await sessions.attach(GATEWAY, peer("b"));
    await sessions.attach(GATEWAY + 1, peer("c"));
    for (const one of fake.peers) one.stop(1, 1, "deleted");
    await waitFor(() => told.length === 2);
    expect(told.sort()).toEqual(["b stop", "c stop"]);
  });

  test("over another connection it replaces the stream before", async () => {
    const { fake, server, sessions } = await pair();
    const ended: SessionError[] = [];
    await sessions.attach(GATEWAY, { ...idlePeer, ended: (error) => void ended.push(error) });
    const other = new NodeSessions(await channelTo(server.address)).group(GROUP);
    const stops: number[] = [];
    await other.attach(GATEWAY, { stop: (incarnation) => stops.push(incarnation) });
    await waitFor(() => ended.length === 1);
    expect(ended[0]).toMatchObject({ code: "unavailable" });
    fake.peers[1]?.stop(1, 1, "deleted");
    await waitFor(() => stops.length === 1);
  });

  test("for a gateway that takes nothing, nothing piles up", async () => {
    const { fake, channel } = await pair();
    const opening = encodeMessage(AttachOpeningSchema, { group: GROUP, gateway: 9n });
    let received = 0;
    const handler = { ...ignoring, window: 1_000, onMessage: () => received++ };
    const stream = await channel.open(method.attach, { opening, handler });
    const ask = (times: number): void => {
      for (let i = 0; i < times; i++) fake.peers[0]?.stop(100_000 + i, 1, "taken-over");
    };
    ask(50_000);
    await waitFor(() => received > 50);
    const before = received;
    expect(before).toBeLessThan(200);
    stream.acknowledge(before);
    // Asked again it gets through.
    await waitFor(() => {
      ask(1);
      return received > before;
    });
  });
});
