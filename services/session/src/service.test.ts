import { EXPIRY_NEVER, type Opened, type SessionError } from "@canopy/session";
import { waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import {
  Harness,
  openRequest,
  progressOf,
  releaseOf,
  subscribeTo,
  textOf,
  willRecord,
} from "../test/harness.ts";

function code(expected: SessionError["code"]): object {
  return expect.objectContaining({ code: expected });
}

const will = (text: string, delay: number, expiry?: number) => ({
  record: willRecord(text),
  delay,
  expiry,
});

describe("opening", () => {
  test("[MQTT-3.1.2-5] a durable session continues where it was, over a restart", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway));
    expect(opened).toMatchObject({ sessionPresent: false, epoch: 1, cursors: [0, 0, 0, 0] });
    await h.sessions.subscribe(subscribeTo(opened, "a/b"));
    await h.sessions.progress([progressOf(opened, { cursors: [1, 25] })]);
    await h.restart();
    const again = await h.attach();
    expect(again).toBeGreaterThan(gateway);
    const resumed = await h.sessions.open(openRequest(again));
    expect(resumed).toMatchObject({
      incarnation: opened.incarnation,
      epoch: 2,
      sessionPresent: true,
      cursors: [0, 25, 0, 0],
      subscriptions: [{ filter: "a/b", qos: 1, queued: true, starts: [10, 20, 30, 40] }],
    });
    expect(await h.service.queries.routes(0)).toMatchObject({ filters: ["a/b"] });
  });

  test("[MQTT-3.1.4-3] the present owner is asked until it has released the session", async () => {
    const h = await Harness.start();
    const stops: number[] = [];
    const held: Opened[] = [];
    const stubborn = {
      stop: (_incarnation: number, epoch: number) => {
        stops.push(epoch);
        if (stops.length === 3) void h.sessions.release(releaseOf(held[0]!));
      },
    };
    const first = await h.attach(stubborn);
    const second = await h.attach();
    held.push(await h.sessions.open(openRequest(first)));
    const claim = h.sessions.open(openRequest(second));
    await waitFor(() => stops.length === 1);
    h.time.advance(2_000);
    expect(stops).toEqual([1, 1, 1]);
    expect(await claim).toMatchObject({ sessionPresent: true, epoch: 2 });
    expect(h.time.pending).toBe(0);
  });

  test("the last claim wins, earlier ones that wait are taken over", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const holder = await h.sessions.open(openRequest(gateway));
    const claims = [1, 2, 3].map(() => h.sessions.open(openRequest(gateway)));
    await expect(claims[0]).rejects.toEqual(code("taken-over"));
    await expect(claims[1]).rejects.toEqual(code("taken-over"));
    await h.sessions.release(releaseOf(holder));
    expect(await claims[2]).toMatchObject({ epoch: 2 });
  });

  test("many claims at once for one client end with one owner", async () => {
    const h = await Harness.start();
    let gateway = 0;
    const sessions = h.sessions;
    const held = new Map<number, Opened>();
    gateway = await h.attach({
      stop: (_incarnation, epoch) => {
        const opened = held.get(epoch);
        if (opened) void sessions.release(releaseOf(opened));
      },
    });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, async (_, i) => {
        for (let turns = i % 7; turns > 0; turns--) await new Promise(setImmediate);
        const opened = await sessions.open(openRequest(gateway));
        held.set(opened.epoch, opened);
        return opened;
      }),
    );
    const opened = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(opened.length).toBeGreaterThan(0);
    expect(h.service.counts).toMatchObject({ sessions: 1, connected: 1 });
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    for (const { reason } of refused) expect(reason).toEqual(code("taken-over"));
  });

  test("an owner that doesn't answer makes a claim unavailable after the claim timeout", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    await h.sessions.open(openRequest(gateway));
    const claim = h.sessions.open(openRequest(gateway));
    h.time.advance(10_000);
    await expect(claim).rejects.toEqual(code("unavailable"));
    expect(h.time.pending).toBe(0);
  });

  test("a claim waits while the owner's gateway goes down", async () => {
    const h = await Harness.start();
    const first = await h.attach();
    const second = await h.attach();
    await h.sessions.open(openRequest(first));
    const claim = h.sessions.open(openRequest(second));
    await h.end(first, 1);
    expect(await claim).toMatchObject({ epoch: 2 });
    await expect(h.sessions.open(openRequest(first))).rejects.toEqual(code("stale"));
  });
});

test("who has attached is told when its gateway is gone, or nobody here asks it any more", async () => {
  const h = await Harness.start();
  const told: string[] = [];
  const peer = (name: string) => ({
    stop: () => {},
    ended: (error: SessionError) => told.push(`${name}: ${error.code}`),
  });
  const replaced = await h.attach(peer("replaced"));
  await h.sessions.attach(replaced, peer("gone"));
  await h.attach(peer("left"));
  await h.end(replaced);
  await waitFor(() => told.length > 0);
  expect(told).toEqual(["gone: stale"]);
  await h.service.stop();
  expect(told).toEqual(["gone: stale", "left: closed"]);
});

test("a gateway that goes down keeps nothing of what it was opening then", async () => {
  const h = await Harness.start();
  const gateway = await h.attach();
  await h.sessions.open(openRequest(gateway, { clientId: "before" }));
  // Proposed, and applied before the gateway's end, which is behind it in the log.
  const opening = h.sessions.open(openRequest(gateway, { clientId: "during" }));
  const down = h.end(gateway);
  await Promise.allSettled([opening, down]);
  expect(h.service.counts).toMatchObject({ sessions: 2, connected: 0 });
});

describe("subscribing", () => {
  test("the subscribes of one turn ask for the heads once", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await Promise.all(
      ["a", "b", "c"].map((clientId) => h.sessions.open(openRequest(gateway, { clientId }))),
    );
    const results = await Promise.all(
      opened.map((session) => h.sessions.subscribe(subscribeTo(session, "x/#", "y"))),
    );
    expect(h.stores.headsAsked).toBe(1);
    expect(results[0]?.subscriptions[0]?.starts).toBe(results[2]?.subscriptions[1]?.starts);
    expect(h.stores.changes).toEqual([
      { filter: "x/#", add: true },
      { filter: "y", add: true },
    ]);
  });

  test("a subscribe waits until its route is in force, also one that another has sent", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const a = await h.sessions.open(openRequest(gateway, { clientId: "a" }));
    const b = await h.sessions.open(openRequest(gateway, { clientId: "b" }));
    const gate = Promise.withResolvers<void>();
    h.stores.gate = (call) => (call === "routes" ? gate.promise : Promise.resolve());
    let settled = 0;
    const first = h.sessions.subscribe(subscribeTo(a, "f")).then(() => settled++);
    await waitFor(() => h.service.counts.subscriptions === 1);
    const second = h.sessions.subscribe(subscribeTo(b, "f")).then(() => settled++);
    await waitFor(() => h.service.counts.subscriptions === 2);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(settled).toBe(0);
    gate.resolve();
    await Promise.all([first, second]);
  });

  test("routes that the stores refuse are sent again, in order", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway));
    let refusals = 2;
    h.stores.gate = (call) =>
      call === "routes" && refusals-- > 0
        ? Promise.reject(new Error("not yet"))
        : Promise.resolve();
    const subscribed = h.sessions.subscribe(subscribeTo(opened, "f"));
    await waitFor(() => h.time.pending === 1);
    const { incarnation, epoch } = opened;
    await h.sessions.unsubscribe({ incarnation, epoch, filters: ["f"], draining: [] });
    h.time.advance(100);
    await waitFor(() => h.time.pending === 1);
    h.time.advance(200);
    await subscribed;
    await waitFor(() => h.stores.changes.length === 2);
    expect(h.stores.changes.map(({ add }) => add)).toEqual([true, false]);
  });

  test("a subscribe or unsubscribe of an earlier epoch is stale", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway));
    const { incarnation } = opened;
    const old = { ...opened, epoch: 0 };
    await expect(h.sessions.subscribe(subscribeTo(old, "f"))).rejects.toEqual(code("stale"));
    await expect(
      h.sessions.unsubscribe({ incarnation, epoch: 0, filters: ["f"], draining: [] }),
    ).rejects.toEqual(code("stale"));
  });

  test("stores that don't answer make a subscribe unavailable, and nothing is subscribed", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway));
    h.stores.gate = () => Promise.reject(new Error("down"));
    const subscribed = h.sessions.subscribe(subscribeTo(opened, "f")).catch((error) => error);
    let outcome: unknown;
    void subscribed.then((error) => {
      outcome = error;
    });
    await waitFor(() => {
      h.time.advance(500);
      return outcome !== undefined;
    });
    expect(outcome).toEqual(code("unavailable"));
    expect(h.service.counts.subscriptions).toBe(0);
  });
});

describe("what happens by itself", () => {
  test("[MQTT-3.1.2-8] a will without delay is published when the gateway goes down", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway, { will: will("gone", 0, 60) }));
    await h.end(gateway);
    await waitFor(() => h.stores.wills.length === 1);
    const { record, ...key } = h.stores.wills[0]!;
    expect(key).toEqual({ incarnation: opened.incarnation, epoch: 1 });
    const published = Buffer.from(record);
    expect(published.readUIntBE(2, 6)).toBe(h.time.wall());
    expect(published.readUIntBE(8, 6)).toBe(h.time.wall() + 60_000);
    expect(textOf(record)).toBe("gone");
  });

  test("[MQTT-3.1.2-10] a will is dropped by a normal DISCONNECT", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway, { will: will("gone", 0) }));
    await h.sessions.release(releaseOf(opened, { will: "drop" }));
    await h.restart();
    expect(h.stores.wills).toEqual([]);
  });

  test("[MQTT-3.1.3-9] a will with a delay comes after it, or not at all after a reconnect", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const request = openRequest(gateway, { will: will("gone", 30), expiry: 100 });
    await h.sessions.release(releaseOf(await h.sessions.open(request)));
    h.time.advance(29_999);
    const opened = await h.sessions.open(request);
    h.time.advance(10_000);
    await h.sessions.release(releaseOf(opened));
    h.time.advance(29_999);
    expect(h.stores.wills).toEqual([]);
    h.time.advance(1);
    await waitFor(() => h.stores.wills.length === 1);
    expect(h.stores.wills[0]?.epoch).toBe(2);
  });

  test("[MQTT-4.1.0-2] a session ends when its expiry has passed, and its routes go", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway, { expiry: 60 }));
    await h.sessions.subscribe(subscribeTo(opened, "f"));
    await h.sessions.release(releaseOf(opened));
    h.time.advance(59_999);
    expect(h.service.counts.sessions).toBe(1);
    h.time.advance(1);
    await waitFor(() => h.stores.ended.length === 1);
    expect(h.stores.changes.at(-1)).toEqual({ filter: "f", add: false });
    const { queries } = h.service;
    await waitFor(async () => (await queries.areLive([opened.incarnation]))[0] === false);
    await waitFor(() => h.time.pending === 0);
  });

  test("downtime and jumps of the wall clock do not count for an expiry", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    await h.sessions.open(openRequest(gateway, { expiry: 60 }));
    await h.end(gateway);
    h.time.advance(30_000);
    await h.attach();
    await h.service.stop();
    h.time.advance(1_000_000);
    h.time.jumpWall(1_000_000_000);
    await h.restart();
    h.time.advance(29_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(h.service.counts.sessions).toBe(1);
    h.time.advance(1_000);
    await waitFor(() => h.service.counts.sessions === 0);
  });

  test("the clock is committed every few seconds while a deadline runs", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    await h.sessions.open(openRequest(gateway, { expiry: 60 }));
    await h.end(gateway);
    for (let i = 0; i < 8; i++) {
      h.time.advance(5_000);
      await waitFor(() => h.time.pending === 1);
    }
    // A crash: nothing is flushed at the end.
    await h.restart();
    h.time.advance(20_001);
    await waitFor(() => h.service.counts.sessions === 0);
    expect(h.time.pending).toBe(0);
  });

  test("sessions of an earlier life are released at start, their wills published once", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    for (let i = 0; i < 2_500; i++) {
      const transient = i % 2 === 0;
      void h.sessions.open(
        openRequest(gateway, {
          clientId: `c${i}`,
          expiry: transient ? 0 : EXPIRY_NEVER,
          will: i < 20 ? will(`w${i}`, 0) : undefined,
        }),
      );
    }
    await waitFor(() => h.service.counts.connected === 2_500);
    await h.restart();
    expect(h.service.counts).toEqual({
      sessions: 1_250,
      connected: 0,
      durable: 1_250,
      subscriptions: 0,
    });
    await waitFor(() => h.stores.wills.length === 20);
    await waitFor(() => h.stores.ended.length === 10);
    await h.restart();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(h.stores.wills).toHaveLength(20);
  });

  test("a will that the stores refuse is published again, and after a crash too", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    h.stores.gate = (call) =>
      call === "publishWill" ? Promise.reject(new Error("no")) : Promise.resolve();
    await h.sessions.open(openRequest(gateway, { expiry: 0, will: will("gone", 30) }));
    await h.end(gateway);
    await waitFor(() => h.time.pending > 0);
    // The stores keep the will's receipt until it is done: the session may not be forgotten before.
    expect(h.stores.ended).toEqual([]);
    await h.restart();
    h.stores.gate = () => Promise.resolve();
    await waitFor(() => h.time.pending > 0);
    h.time.advance(100);
    await waitFor(() => h.stores.wills.length === 1);
    await waitFor(() => h.stores.ended.length === 1);
  });

  test("wills that can't be stored now don't keep others from being published", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    h.stores.refuse = (record) => textOf(record).startsWith("no");
    for (let i = 0; i < 600; i++) {
      const clientId = `c${i}`;
      const text = i < 500 ? `no ${i}` : `yes ${i}`;
      void h.sessions.open(openRequest(gateway, { clientId, expiry: 0, will: will(text, 0) }));
    }
    await waitFor(() => h.service.counts.connected === 600);
    await h.end(gateway);
    await waitFor(() => h.stores.wills.length === 100);
    h.stores.refuse = () => false;
    await waitFor(() => h.time.pending >= 500);
    h.time.advance(100);
    await waitFor(() => h.stores.wills.length === 600);
    await waitFor(() => h.stores.ended.length === 600);
    expect(new Set(h.stores.wills.map(({ incarnation }) => incarnation)).size).toBe(600);
  });

  test("a will that no store will ever take is given up", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const record = Buffer.from("short");
    await h.sessions.open(
      openRequest(gateway, { expiry: 0, will: { record, delay: 0, expiry: 0 } }),
    );
    await h.end(gateway);
    await waitFor(() => h.stores.ended.length === 1);
    expect(h.stores.wills).toEqual([]);
  });

  test("wills of one session go one after the other", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const gate = Promise.withResolvers<void>();
    h.stores.gate = (call) => (call === "publishWill" ? gate.promise : Promise.resolve());
    for (const text of ["first", "second", "third"]) {
      const opened = await h.sessions.open(openRequest(gateway, { will: will(text, 0) }));
      await h.sessions.release(releaseOf(opened));
    }
    h.stores.gate = async (call) => {
      if (call === "publishWill") await new Promise((resolve) => setTimeout(resolve, 5));
    };
    gate.resolve();
    await waitFor(() => h.stores.wills.length === 3);
    expect(h.stores.wills.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  });
});

describe("its end", () => {
  test("after a stop everything is refused and no timer remains", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway, { expiry: 60 }));
    await h.sessions.open(openRequest(gateway, { clientId: "other" }));
    await h.sessions.release(releaseOf(opened));
    const claim = h.sessions.open(openRequest(gateway, { clientId: "other" }));
    h.stores.gate = () => new Promise(() => {});
    const third = await h.sessions.open(openRequest(gateway, { clientId: "third" }));
    const subscribed = h.sessions.subscribe(subscribeTo(third, "f"));
    const outcomes = Promise.allSettled([claim, subscribed]);
    await h.service.stop();
    expect(await outcomes).toEqual([
      { status: "rejected", reason: code("closed") },
      { status: "rejected", reason: code("closed") },
    ]);
    await expect(h.sessions.open(openRequest(gateway))).rejects.toEqual(code("closed"));
    await expect(h.attach()).rejects.toEqual(code("closed"));
    await expect(h.sessions.release(releaseOf(opened))).rejects.toEqual(code("closed"));
    expect(h.time.pending).toBe(0);
  });

  test("progress of very many sessions is several commands", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const opened = await Promise.all(
      Array.from({ length: 2_500 }, (_, i) =>
        h.sessions.open(openRequest(gateway, { clientId: `c${i}` })),
      ),
    );
    await h.sessions.progress(opened.map((session) => progressOf(session, { cursors: [0, 7] })));
    await h.sessions.progress([]);
    await h.end(gateway);
    const again = await h.attach();
    const resumed = await h.sessions.open(openRequest(again, { clientId: "c2499" }));
    expect(resumed.cursors).toEqual([7, 0, 0, 0]);
  });

  test("too many commands that wait are refused as overloaded", async () => {
    const h = await Harness.start({ maxProposals: 10 });
    const gateway = await h.attach();
    const opened = await h.sessions.open(openRequest(gateway));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => h.sessions.progress([progressOf(opened)])),
    );
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused).toHaveLength(10);
    for (const { reason } of refused as PromiseRejectedResult[]) {
      expect(reason).toEqual(code("overloaded"));
    }
  });
});
