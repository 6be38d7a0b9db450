import { describe, expect, test } from "vitest";
import { delivery, Group } from "../test/group.ts";
import type { Opened } from "./port.ts";

describe("progress", () => {
  test("cursors only grow, and take the done ranges below along", () => {
    const g = new Group();
    const opened = g.open();
    g.progress(opened, { cursors: [1, 10], done: [{ shard: 1, ranges: [5, 12, 15, 16] }] });
    expect(g.details(opened)).toMatchObject({
      cursors: [0, 10, 0, 0],
      done: [{ shard: 1, ranges: [11, 12, 15, 16] }],
    });
    g.progress(opened, { cursors: [1, 8], done: [{ shard: 1, ranges: [13, 13] }] });
    expect(g.details(opened)).toMatchObject({
      cursors: [0, 10, 0, 0],
      done: [{ shard: 1, ranges: [11, 13, 15, 16] }],
    });
    g.progress(opened, { cursors: [1, 16] });
    expect(g.details(opened)).toMatchObject({ cursors: [0, 16, 0, 0], done: [] });
  });

  test("stale entries of a batch are skipped, the others count", () => {
    const g = new Group();
    const a = g.open({ clientId: "a" });
    const b = g.open({ clientId: "b" });
    g.release(a);
    const none = { done: [], drained: [], retainedAfter: [], retainedSent: [] };
    const batch = [a, b].map(({ incarnation, epoch }) => ({
      incarnation,
      epoch,
      cursors: [0, 2 ** 45 + 7],
      ...none,
    }));
    expect(g.apply({ type: "progress", batch })).toBe(1);
    expect(g.details(a).cursors).toEqual([0, 0, 0, 0]);
    expect(g.details(b).cursors).toEqual([2 ** 45 + 7, 0, 0, 0]);
  });

  test("vectors that were handed out do not change", () => {
    const g = new Group();
    const opened = g.open();
    g.progress(opened, { cursors: [0, 5] });
    const { cursors } = g.details(opened);
    g.progress(opened, { cursors: [0, 9] });
    expect(cursors).toEqual([5, 0, 0, 0]);
    expect(opened.cursors).toEqual([0, 0, 0, 0]);
  });

  test("shards that are not there are ignored", () => {
    const g = new Group();
    const opened = g.open();
    g.progress(opened, { cursors: [99, 5], done: [{ shard: 99, ranges: [1, 2] }] });
    expect(g.details(opened)).toMatchObject({ cursors: [0, 0, 0, 0], done: [] });
  });
});

describe("deliveries", () => {
  test("[MQTT-4.3.3-3] [MQTT-4.3.3-5] are kept from the assignment to PUBCOMP", () => {
    const g = new Group();
    const opened = g.open();
    g.deliver(opened, { assigned: [delivery(1, 101), delivery(2, 102)] });
    g.deliver(opened, { received: [2, 77] });
    expect(g.details(opened).unfinished).toEqual([
      delivery(1, 101),
      delivery(2, 102, { received: true }),
    ]);
    g.deliver(opened, { completed: [2, 77] });
    expect(g.details(opened)).toMatchObject({
      unfinished: [delivery(1, 101)],
      done: [{ shard: 1, ranges: [102, 102] }],
    });
  });

  test("an identifier that becomes free can be used again in the same command", () => {
    const g = new Group();
    const opened = g.open();
    g.deliver(opened, { assigned: [delivery(1, 101), delivery(2, 102)] });
    g.deliver(opened, { completed: [1], received: [2], assigned: [delivery(1, 103)] });
    expect(g.details(opened).unfinished).toEqual([
      delivery(2, 102, { received: true }),
      delivery(1, 103),
    ]);
  });

  test("a completed offset at or below the cursor needs no range", () => {
    const g = new Group();
    const opened = g.open();
    g.deliver(opened, { assigned: [delivery(1, 101)] });
    g.progress(opened, { cursors: [1, 200] });
    g.deliver(opened, { completed: [1] });
    expect(g.details(opened)).toMatchObject({ done: [], unfinished: [] });
  });

  test("of shared queues and retained values nothing is done here", () => {
    const g = new Group();
    const opened = g.open();
    const shared = delivery(1, 101, { queue: "$share/g/f" });
    const retained = delivery(2, 102, { source: "retained", queue: "topic" });
    g.deliver(opened, { assigned: [shared, retained] });
    g.deliver(opened, { completed: [1, 2] });
    expect(g.details(opened)).toMatchObject({ done: [], unfinished: [] });
  });

  test("an assignment takes the place of a QoS 1 delivery with its identifier", () => {
    const g = new Group();
    const first = g.open();
    g.release(first, { unfinished: [delivery(1, 90, { qos: 1 }), delivery(2, 91, { qos: 1 })] });
    const second = g.open();
    g.deliver(second, { assigned: [delivery(1, 101)] });
    expect(g.details(second).unfinished).toEqual([delivery(2, 91, { qos: 1 }), delivery(1, 101)]);
  });

  test("of another epoch do nothing", () => {
    const g = new Group();
    const first = g.open();
    g.release(first);
    const second = g.open();
    expect(g.deliver(first, { assigned: [delivery(1, 101)] })).toBe(0);
    expect(g.details(second).unfinished).toEqual([]);
  });
});

describe("retained values", () => {
  const f = { filter: "f", sendRetained: true };
  const at = (topic: string, filter = "f") => ({ filter, shard: 1, topic });
  const after = (g: Group, opened: Opened) => g.details(opened).subscriptions[0]?.retainedAfter;

  test("are assigned an identifier and passed in one command", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [f]);
    const first = delivery(1, 50, { source: "retained", queue: "t/1" });
    g.deliver(opened, { assigned: [first], retainedAfter: [at("t/1")] });
    g.down(g.gateway, opened);
    const gateway = g.up();
    expect(g.open({ gateway })).toMatchObject({
      unfinished: [first],
      subscriptions: [
        { retainedUpTo: [100, 100, 100, 100], retainedAfter: { shard: 1, topic: "t/1" } },
      ],
    });
  });

  test("go on behind the last that was told", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [f, { filter: "g", sendRetained: true }]);
    g.progress(opened, { retainedAfter: [at("t/1"), at("t/7", "g"), at("x", "unknown")] });
    g.release(opened, { retainedAfter: [at("t/2")] });
    expect(g.open().subscriptions).toMatchObject([
      { retainedAfter: { shard: 1, topic: "t/2" } },
      { retainedAfter: { shard: 1, topic: "t/7" } },
    ]);
  });

  test("that have all been sent, or that nobody asked for, have no place", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [f]);
    g.progress(opened, { retainedAfter: [at("t/1")], retainedSent: ["f"] });
    expect(after(g, opened)).toBeUndefined();
    g.progress(opened, { retainedAfter: [at("t/2")] });
    expect(after(g, opened)).toBeUndefined();
  });

  test("[MQTT-3.8.4-4] begin anew with a SUBSCRIBE that asks for them", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [f]);
    g.progress(opened, { retainedAfter: [at("t/1")] });
    g.subscribe(opened, ["f"]);
    expect(after(g, opened)).toEqual({ shard: 1, topic: "t/1" });
    g.subscribe(opened, [f]);
    expect(after(g, opened)).toBeUndefined();
  });

  test("of a subscription that drains are not sent any more", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [f]);
    g.progress(opened, { retainedAfter: [at("t/1")] });
    g.unsubscribe(opened, ["f"], ["f"]);
    g.progress(opened, { retainedAfter: [at("t/2")] });
    expect(after(g, opened)).toBeUndefined();
  });
});

test("shards with receipts are known from before the first acknowledgement, and exactly after a release", () => {
  const g = new Group();
  const opened = g.open();
  g.deliver(opened, { receiptShards: [2] });
  g.deliver(opened, { receiptShards: [0, 2] });
  expect(g.details(opened).receiptShards).toEqual([0, 2]);
  g.members(g.state.version + 1, { gatewaysGone: [g.gateway] });
  g.apply({ type: "gateway-down", gateway: g.gateway, sessions: [opened.incarnation] });
  const again = g.open({ gateway: g.up() });
  expect(again.receiptShards).toEqual([0, 2]);
  g.release(again, { receiptShards: [2] });
  const last = g.open({ gateway: g.up() });
  expect(last.receiptShards).toEqual([2]);
  g.release(last, { receiptShards: [] });
  expect(g.open({ gateway: g.up() }).receiptShards).toEqual([]);
});
