import { waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { type MakeHarness, progressOf, refused, subscribeTo, until, world } from "./harness.ts";

export function openingTests(makeHarness: MakeHarness): void {
  test("[MQTT-3.1.2-6] a client without a session gets a new one", async () => {
    const { gateway } = await world(makeHarness);
    const opened = await gateway.open();
    expect(opened).toMatchObject({
      epoch: 1,
      sessionPresent: false,
      subscriptions: [],
      cursors: [0, 0, 0, 0],
      unfinished: [],
    });
    const other = await gateway.open({ clientId: "other" });
    expect(other.incarnation).not.toBe(opened.incarnation);
    expect(await gateway.sessions.counts()).toMatchObject({ sessions: 2, connected: 2 });
  });

  test("[MQTT-3.1.2-5] [MQTT-3.2.2-3] a durable session goes on where its release says", async () => {
    const { gateway } = await world(makeHarness);
    const first = await gateway.open();
    await gateway.sessions.subscribe(subscribeTo(first, "a/b"));
    const delivery = {
      packetId: 7,
      qos: 1,
      received: false,
      source: "queue",
      queue: "a/b",
    } as const;
    await gateway.release(first, {
      cursors: [1, 25],
      done: [{ shard: 1, ranges: [27, 28] }],
      unfinished: [{ ...delivery, shard: 1, offset: 26 }],
    });
    expect(await gateway.open()).toMatchObject({
      incarnation: first.incarnation,
      epoch: 2,
      sessionPresent: true,
      subscriptions: [{ filter: "a/b", queued: true, starts: [10, 20, 30, 40] }],
      cursors: [0, 25, 0, 0],
      done: [{ shard: 1, ranges: [27, 28] }],
      unfinished: [{ packetId: 7, shard: 1, offset: 26 }],
    });
  });

  test("[MQTT-3.1.2-4] Clean Start begins a new one, and the old one's routes go", async () => {
    const w = await world(makeHarness);
    const { gateway, stores } = w;
    const first = await gateway.open();
    await gateway.sessions.subscribe(subscribeTo(first, "f"));
    await gateway.release(first);
    const second = await gateway.open({ cleanStart: true });
    expect(second).toMatchObject({ epoch: 1, sessionPresent: false, subscriptions: [] });
    expect(second.incarnation).toBeGreaterThan(first.incarnation);
    await until(w, () => !stores.routesNow.has("f") && stores.ended.includes(first.incarnation));
  });

  test("a transient session ends with its release", async () => {
    const { gateway } = await world(makeHarness);
    const first = await gateway.open({ expiry: 0 });
    await gateway.release(first);
    expect(await gateway.sessions.counts()).toMatchObject({ sessions: 0, connected: 0 });
    expect(await gateway.open()).toMatchObject({ sessionPresent: false });
  });

  test("[MQTT-4.1.0-2] a durable one ends when its expiry has passed, and no earlier", async () => {
    const w = await world(makeHarness);
    const { gateway, harness } = w;
    await gateway.release(await gateway.open({ expiry: 60 }));
    harness.pass(59_000);
    const second = await gateway.open({ expiry: 60 });
    expect(second).toMatchObject({ sessionPresent: true });
    await gateway.release(second, { expiry: 10 });
    harness.pass(10_000);
    await until(w, async () => (await gateway.sessions.counts()).sessions === 0);
  });

  test("[MQTT-3.1.4-3] the owner is asked to stop, and the claim waits for its release", async () => {
    const w = await world(makeHarness);
    const { gateway } = w;
    const other = await w.attach();
    const first = await gateway.open();
    const claim = other.open();
    await until(w, () => gateway.stops.length > 0);
    const { incarnation, epoch } = first;
    expect(gateway.stops[0]).toEqual({ incarnation, epoch, reason: "taken-over" });
    expect(await gateway.sessions.counts()).toMatchObject({ connected: 1 });
    await gateway.release(first, { cursors: [2, 35] });
    expect(await claim).toMatchObject({ incarnation, epoch: 2, cursors: [0, 0, 35, 0] });
    expect(other.stops).toEqual([]);
  });

  test("the last claim wins", async () => {
    const w = await world(makeHarness);
    const { gateway } = w;
    const [second, third] = [await w.attach(), await w.attach()];
    const first = await gateway.open();
    const early = refused(second.open(), "taken-over");
    await until(w, () => gateway.stops.length > 0);
    const late = third.open();
    await early;
    await gateway.release(first);
    expect(await late).toMatchObject({ epoch: 2 });
  });

  test("a gateway's end releases what it has, and lets claims in; it opens nothing any more", async () => {
    const w = await world(makeHarness);
    const { gateway, harness } = w;
    const other = await w.attach();
    await gateway.open();
    await gateway.open({ clientId: "transient", expiry: 0 });
    const claim = other.open();
    await harness.end(gateway.incarnation);
    expect(await claim).toMatchObject({ sessionPresent: true, epoch: 2 });
    await until(w, async () => (await other.sessions.counts()).sessions === 1);
    await refused(gateway.open({ clientId: "late" }), "stale");
  });

  test("an open that is asked again is the same open", async () => {
    const { gateway } = await world(makeHarness);
    const request = gateway.request();
    const opened = await gateway.sessions.open(request);
    expect(await gateway.sessions.open(request)).toEqual(opened);
    expect(gateway.stops).toEqual([]);
  });

  test("an open that got no answer is taken back, without its will", async () => {
    const w = await world(makeHarness);
    const { gateway, harness, stores } = w;
    const will = { record: harness.record("never"), delay: 0, expiry: undefined };
    const request = gateway.request({ will });
    await gateway.sessions.open(request);
    await gateway.sessions.withdraw(request);
    expect(await gateway.sessions.counts()).toMatchObject({ sessions: 1, connected: 0 });
    const again = await gateway.open();
    await gateway.sessions.withdraw(request);
    await gateway.release(again, { will: "publish" });
    expect(stores.wills).toEqual([]);
  });

  test("what an earlier opening says does nothing", async () => {
    const { gateway } = await world(makeHarness);
    const old = await gateway.open();
    await gateway.release(old);
    const now = await gateway.open();
    await gateway.release(old, { cursors: [0, 99] });
    await gateway.sessions.progress([progressOf(old, { cursors: [0, 99] })]);
    await refused(gateway.sessions.subscribe(subscribeTo(old, "f")), "stale");
    const { incarnation, epoch } = old;
    const unsubscribe = { incarnation, epoch, filters: ["f"], draining: [] };
    await refused(gateway.sessions.unsubscribe(unsubscribe), "stale");
    expect(await gateway.sessions.counts()).toMatchObject({ connected: 1, subscriptions: 0 });
    await gateway.release(now);
    expect((await gateway.open()).cursors).toEqual([0, 0, 0, 0]);
  });

  test("many clients at once, each with a session of its own", async () => {
    const { gateway } = await world(makeHarness);
    const ids = Array.from({ length: 500 }, (_, i) => `client-${i}`);
    const opened = await Promise.all(ids.map((clientId) => gateway.open({ clientId })));
    expect(new Set(opened.map(({ incarnation }) => incarnation)).size).toBe(500);
    await Promise.all(opened.map((one) => gateway.release(one)));
    await waitFor(async () => (await gateway.sessions.counts()).connected === 0);
  });
}
