import { LazyMap, seededRandom, silentLogger } from "@canopy/base";
import { EXPIRY_NEVER, groupOf, type OpenRequest, SessionError } from "@canopy/session";
import { FakeTime } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { FakeSessions, never, refusal } from "../../test/fake-sessions.ts";
import { settled } from "../../test/fake-stores.ts";
import { ClusterSessions } from "./cluster-sessions.ts";

const GATEWAY = 5;

/** Nodes of these names; of each, one object per group. */
function start(names: readonly string[], groups = 1) {
  const time = new FakeTime();
  const nodes = new LazyMap<string, FakeSessions>();
  const node = (name: string, group = 1): FakeSessions => {
    const key = `${name} ${group}`;
    const known = nodes.get(key) ?? new FakeSessions();
    nodes.set(key, known);
    return known;
  };
  const sessions = new ClusterSessions({
    nodes: () => names,
    connect: node,
    groups: () => groups,
    clock: time,
    timers: time,
    random: seededRandom(1),
    logger: silentLogger,
  });
  const askedOf = (group = 1): number => {
    return names.reduce((sum, name) => sum + node(name, group).asked.length, 0);
  };
  return { time, node, sessions, askedOf };
}

/** What becomes of it, in time. */
function watch(promise: Promise<unknown>): () => unknown {
  let found: unknown = "pending";
  promise.then(
    (value) => {
      found = value;
    },
    (error: unknown) => {
      found = error instanceof SessionError ? error.code : error;
    },
  );
  return () => found;
}

async function pass(time: FakeTime, ms: number): Promise<void> {
  await settled();
  for (let passed = 0; passed < ms; passed += 50) {
    time.advance(50);
    await settled();
  }
}

function open(clientId = "c", requestId = 1): OpenRequest {
  return {
    clientId,
    gateway: GATEWAY,
    requestId,
    cleanStart: false,
    expiry: EXPIRY_NEVER,
    will: undefined,
    user: undefined,
  };
}

const peer = { stop: () => {} };

function progress(incarnation: number) {
  const nothing = { cursors: [], done: [], drained: [], retainedAfter: [], retainedSent: [] };
  return { incarnation, epoch: 1, ...nothing };
}

describe("a call to a session group", () => {
  test("finds the leader by what another node says, and goes there from then on", async () => {
    const { node, sessions, time } = start(["a", "b", "c"]);
    for (const name of ["a", "c"]) node(name).otherwise = refusal("not-leader", "b");
    const first = watch(sessions.open(open()));
    await pass(time, 100);
    expect(first()).toBe(undefined);
    await sessions.open(open("d", 2));
    expect(node("b").news()).toEqual(["open c 1", "open d 2"]);
    expect(node("a").asked.length + node("c").asked.length).toBeLessThan(2);
  });

  test("asks all nodes in turn while nobody leads, with the same request, until somebody does", async () => {
    const { node, sessions, time } = start(["a", "b", "c"]);
    for (const name of ["a", "b", "c"]) node(name).otherwise = refusal("not-leader");
    const done = watch(sessions.open(open()));
    await pass(time, 4_000);
    expect(done()).toBe("pending");
    for (const name of ["a", "b", "c"]) {
      const asked = node(name).news();
      expect(asked.length).toBeGreaterThan(1);
      expect(asked.length).toBeLessThan(20);
      expect(new Set(asked)).toEqual(new Set(["open c 1"]));
    }
    node("b").otherwise = () => Promise.resolve("opened");
    await pass(time, 2_000);
    expect(done()).toBe("opened");
  });

  test("is unavailable after its deadline, or indeterminate where a try may have been done", async () => {
    const { node, sessions, time } = start(["a", "b"]);
    for (const name of ["a", "b"]) node(name).otherwise = refusal("unavailable");
    const refused = watch(sessions.open(open()));
    await pass(time, 10_000);
    expect(refused()).toBe("unavailable");
    for (const name of ["a", "b"]) node(name).answers = [refusal("indeterminate")];
    const unknown = watch(sessions.open(open("c", 2)));
    await pass(time, 10_000);
    expect(unknown()).toBe("indeterminate");
  });

  test.each(["stale", "taken-over", "overloaded"] as const)("%s is an answer", async (code) => {
    const { node, sessions, askedOf } = start(["a"]);
    node("a").otherwise = refusal(code);
    await expect(sessions.open(open())).rejects.toMatchObject({ code });
    expect(askedOf()).toBe(1);
  });

  test("a try that may have been done is not forgotten for one that is refused", async () => {
    const { node, sessions, time } = start(["a"]);
    node("a").answers = [refusal("indeterminate")];
    node("a").otherwise = refusal("overloaded");
    const done = watch(sessions.open(open()));
    await pass(time, 10_000);
    expect(done()).toBe("indeterminate");
  });

  test("a leader that takes its time is not asked twice, while the others say that it leads", async () => {
    const { node, sessions, time } = start(["a", "b", "c"]);
    let answer: (value: unknown) => void = () => {};
    for (const name of ["b", "c"]) node(name).otherwise = refusal("not-leader", "a");
    node("a").otherwise = () => new Promise((resolve) => (answer = resolve));
    const done = watch(sessions.open(open()));
    await pass(time, 5_000);
    expect(node("a").news()).toEqual(["open c 1"]);
    answer("opened");
    await settled();
    expect(done()).toBe("opened");
  });

  test("a node that hangs is left for the one that leads now", async () => {
    const { node, sessions, time } = start(["a", "b", "c"]);
    node("a").otherwise = never;
    for (const name of ["b", "c"]) node(name).answers = [refusal("not-leader", "a")];
    const done = watch(sessions.open(open()));
    await pass(time, 500);
    node("b").otherwise = () => Promise.resolve("opened");
    node("c").otherwise = refusal("not-leader", "b");
    await pass(time, 3_000);
    expect(done()).toBe("opened");
  });

  test("nobody who answers: it may have been done", async () => {
    const { node, sessions, time } = start(["a", "b"]);
    for (const name of ["a", "b"]) node(name).otherwise = never;
    const done = watch(sessions.open(open()));
    await pass(time, 10_050);
    expect(done()).toBe("indeterminate");
    expect(time.pending).toBe(0);
  });
});

describe("several groups", () => {
  test("a client's session is with its group, by its identifier and its incarnation", async () => {
    const { node, sessions } = start(["a"], 3);
    for (const clientId of ["one", "two", "three", "four"]) {
      await sessions.open(open(clientId));
      expect(node("a", groupOf(clientId, 3)).news()).toEqual([`open ${clientId} 1`]);
      await sessions.withdraw(open(clientId));
      expect(node("a", groupOf(clientId, 3)).news()).toEqual([`withdraw ${clientId}`]);
    }
    await sessions.unsubscribe({ incarnation: 7, epoch: 1, filters: [], draining: [] });
    expect(node("a", 2).news()).toEqual(["unsubscribe 7"]);
    expect(sessions.groupOf(7)).toBe(2);
  });

  test("progress and deliveries go to each its own; one that fails fails the whole, when all are through", async () => {
    const { node, sessions, time } = start(["a"], 3);
    await sessions.progress([progress(3), progress(4), progress(6), progress(5)]);
    expect(node("a", 1).news()).toEqual(["progress 3 6"]);
    expect(node("a", 2).news()).toEqual(["progress 4"]);
    expect(node("a", 3).news()).toEqual(["progress 5"]);
    node("a", 1).otherwise = refusal("unavailable");
    node("a", 2).otherwise = never;
    const nothing = { completed: [], received: [], assigned: [], retainedAfter: [] };
    const changes = [3, 4].map((incarnation) => ({ incarnation, epoch: 1, ...nothing }));
    const done = watch(sessions.deliveries(changes));
    await pass(time, 9_900);
    expect(done()).toBe("pending");
    await pass(time, 200);
    expect(done()).toBe("unavailable");
  });

  test("counts are those of all", async () => {
    const { node, sessions } = start(["a"], 2);
    for (const group of [1, 2]) {
      const counts = { sessions: group, connected: 1, durable: 2, subscriptions: 3 };
      node("a", group).otherwise = () => Promise.resolve(counts);
    }
    const sum = { sessions: 3, connected: 2, durable: 4, subscriptions: 6 };
    expect(await sessions.counts()).toEqual(sum);
  });
});

describe("a gateway", () => {
  test("is attached to the leader of every group, and asked to stop by each", async () => {
    const { node, sessions } = start(["a"], 2);
    const stops: number[] = [];
    await sessions.attach(GATEWAY, { stop: (incarnation) => stops.push(incarnation) });
    for (const group of [1, 2]) {
      expect(node("a", group).news()).toEqual(["attach 5"]);
      node("a", group).peers[0]?.stop(group, 1, "taken-over");
    }
    expect(stops).toEqual([1, 2]);
  });

  test("is attached only when all groups know it", async () => {
    const { node, sessions, time } = start(["a"], 2);
    node("a", 2).otherwise = refusal("unavailable");
    const done = watch(sessions.attach(GATEWAY, peer));
    await pass(time, 15_000);
    expect(done()).toBe("pending");
    node("a", 2).otherwise = () => Promise.resolve(undefined);
    await pass(time, 1_500);
    expect(done()).toBe(undefined);
  });

  test("attaches again where a leader has gone, to the next one", async () => {
    const { node, sessions, time } = start(["a", "b"]);
    node("b").otherwise = refusal("not-leader", "a");
    const done = watch(sessions.attach(GATEWAY, peer));
    await pass(time, 500);
    expect(done()).toBe(undefined);
    node("a").otherwise = refusal("not-leader", "b");
    node("b").otherwise = () => Promise.resolve(undefined);
    node("b").news();
    node("a").peers[0]?.ended?.(new SessionError("not-leader", "no more"));
    await pass(time, 500);
    expect(node("b").news()).toEqual(["attach 5"]);
  });

  test("that has ended is told so, and not attached again", async () => {
    const { node, sessions, time, askedOf } = start(["a"]);
    const ended: unknown[] = [];
    await sessions.attach(GATEWAY, { stop: () => {}, ended: ({ code }) => ended.push(code) });
    node("a").otherwise = refusal("stale");
    node("a").peers[0]?.ended?.(new SessionError("stale", "gone"));
    await pass(time, 500);
    expect(ended).toEqual(["stale"]);
    const asked = askedOf();
    await pass(time, 5_000);
    expect(askedOf()).toBe(asked);
    await expect(sessions.attach(GATEWAY, peer)).rejects.toMatchObject({ code: "stale" });
  });

  test("hears no more after close, and nothing is tried again", async () => {
    const { node, sessions, time, askedOf } = start(["a"]);
    const stops: number[] = [];
    await sessions.attach(GATEWAY, { stop: (incarnation) => stops.push(incarnation) });
    node("a").otherwise = refusal("not-leader");
    const done = watch(sessions.open(open()));
    await settled();
    sessions.close();
    node("a").peers[0]?.stop(1, 1, "deleted");
    node("a").peers[0]?.ended?.(new SessionError("closed", "gone"));
    await pass(time, 5_000);
    expect(done()).toBe("closed");
    expect(stops).toEqual([]);
    expect(askedOf()).toBe(2);
  });
});
