import { describe, expect, test } from "vitest";
import { delivery, Group } from "../test/group.ts";

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
    const none = { done: [], drained: [], retainedSent: [] };
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
