import { describe, expect, test } from "vitest";
import { delivery, Group } from "../test/group.ts";

const HEADS = [100, 100, 100, 100];
const LATER = [200, 200, 200, 200];

describe("subscribe", () => {
  test("begins at the heads and answers what stands", () => {
    const g = new Group();
    const opened = g.open();
    const asked = { filter: "f", qos: 2, noLocal: true, subscriptionIdentifier: 7 } as const;
    expect(g.subscribe(opened, [asked, { filter: "g", qos: 0 }])).toMatchObject({
      subscriptions: [
        { ...asked, queued: true, starts: HEADS, draining: false, retainedUpTo: undefined },
        { filter: "g", qos: 0, queued: false },
      ],
      existed: [false, false],
    });
    expect(g.effects.routeLog).toEqual(["+f"]);
  });

  test("[MQTT-3.8.4-3] replaces the options and keeps the start", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [{ filter: "f", qos: 1 }], HEADS);
    expect(g.subscribe(opened, [{ filter: "f", qos: 2, retainHandling: 1 }], LATER)).toMatchObject({
      subscriptions: [{ qos: 2, retainHandling: 1, starts: HEADS, queued: true }],
      existed: [true],
    });
    expect(g.effects.routeLog).toEqual(["+f"]);
    expect(g.state.counts().subscriptions).toBe(1);
  });

  test("one that goes down to QoS 0 goes on draining its queue", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f"], HEADS);
    expect(g.subscribe(opened, [{ filter: "f", qos: 0 }], LATER)?.subscriptions).toMatchObject([
      { qos: 0, queued: true, starts: HEADS },
    ]);
    expect([...g.effects.routes]).toEqual(["f"]);
  });

  test("one that comes up from QoS 0 begins now: it got everything before live", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [{ filter: "f", qos: 0 }], HEADS);
    const result = g.subscribe(opened, ["f"], LATER);
    expect(result).toMatchObject({ existed: [true], subscriptions: [{ starts: LATER }] });
    expect(g.effects.routeLog).toEqual(["+f"]);
  });

  test("a route is there from the first queue to the last", () => {
    const g = new Group();
    const a = g.open({ clientId: "a" });
    const b = g.open({ clientId: "b" });
    g.subscribe(a, ["f"]);
    g.subscribe(b, ["f", { filter: "g", qos: 0 }]);
    g.unsubscribe(a, ["f"]);
    expect(g.state.routes()).toEqual(["f"]);
    g.unsubscribe(b, ["f"]);
    expect(g.effects.routeLog).toEqual(["+f", "-f"]);
    expect(g.state.routes()).toEqual([]);
  });

  test("retained values are to be sent up to the heads until they have been sent", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [{ filter: "f", sendRetained: true }], HEADS);
    g.subscribe(opened, [{ filter: "f", retainHandling: 1 }], LATER);
    expect(g.details(opened).subscriptions[0]?.retainedUpTo).toEqual(HEADS);
    g.progress(opened, { retainedSent: ["f", "unknown"] });
    expect(g.details(opened).subscriptions[0]?.retainedUpTo).toBeUndefined();
    g.subscribe(opened, [{ filter: "f", sendRetained: true }], LATER);
    g.release(opened);
    expect(g.open().subscriptions[0]?.retainedUpTo).toEqual(LATER);
  });

  test("of another epoch does nothing", () => {
    const g = new Group();
    const opened = g.open();
    g.release(opened);
    expect(g.subscribe(opened, ["f"])).toBeUndefined();
    g.open();
    expect(g.subscribe(opened, ["f"])).toBeUndefined();
    expect(g.unsubscribe(opened, ["f"])).toBeUndefined();
    expect(g.state.counts().subscriptions).toBe(0);
  });
});

describe("unsubscribe", () => {
  test("[MQTT-3.10.4-1] tells which filters existed", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f", "g"]);
    expect(g.unsubscribe(opened, ["f", "F", "g", "g"])).toEqual([true, false, true, false]);
    expect(g.state.counts().subscriptions).toBe(0);
  });

  test("[MQTT-3.10.4-3] one with deliveries in flight drains and keeps its queue", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f"]);
    expect(g.unsubscribe(opened, ["f"], ["f"])).toEqual([true]);
    expect(g.details(opened).subscriptions).toMatchObject([{ filter: "f", draining: true }]);
    expect(g.unsubscribe(opened, ["f"])).toEqual([false]);
    expect([...g.effects.routes]).toEqual(["f"]);
    g.progress(opened, { drained: ["f"] });
    expect(g.details(opened).subscriptions).toEqual([]);
    expect(g.effects.routeLog).toEqual(["+f", "-f"]);
  });

  test("[MQTT-3.10.4-3] a QoS 2 delivery keeps it, whatever the gateway says", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f"]);
    g.deliver(opened, { assigned: [delivery(1, 101)] });
    g.unsubscribe(opened, ["f"]);
    g.progress(opened, { drained: ["f"] });
    expect(g.details(opened).subscriptions).toMatchObject([{ draining: true }]);
    g.release(opened);
    const again = g.open();
    expect(again.subscriptions).toMatchObject([{ filter: "f", draining: true }]);
    g.deliver(again, { completed: [1] });
    g.progress(again, { drained: ["f"] });
    expect(g.details(again).subscriptions).toEqual([]);
  });

  test("what drains ends at a release that names no delivery of its queue", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f", "g"]);
    g.unsubscribe(opened, ["f", "g"], ["f", "g"]);
    g.release(opened, { unfinished: [delivery(1, 101, { qos: 1, queue: "g" })] });
    expect(g.open().subscriptions).toMatchObject([{ filter: "g", draining: true }]);
  });

  test("what drains ends with its gateway when nothing is unfinished", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f"]);
    g.unsubscribe(opened, ["f"], ["f"]);
    g.down(g.gateway, opened);
    expect(g.details(opened).subscriptions).toEqual([]);
    expect(g.effects.routes.size).toBe(0);
  });

  test("subscribing again to what drains makes a new subscription", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f"], HEADS);
    g.unsubscribe(opened, ["f"], ["f"]);
    expect(g.subscribe(opened, ["f"], LATER)).toMatchObject({
      existed: [false],
      subscriptions: [{ draining: false, starts: LATER, queued: true }],
    });
    g.progress(opened, { drained: ["f"] });
    expect(g.details(opened).subscriptions).toHaveLength(1);
    expect(g.effects.routeLog).toEqual(["+f"]);
  });

  test("a subscription without a queue has nothing to drain", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, [{ filter: "f", qos: 0 }]);
    g.unsubscribe(opened, ["f"], ["f"]);
    expect(g.details(opened).subscriptions).toEqual([]);
  });
});
