import { describe, expect, test } from "vitest";
import { delivery, Group, will } from "../test/group.ts";
import { EXPIRY_NEVER } from "./port.ts";

describe("release", () => {
  test("of another epoch or incarnation does nothing", () => {
    const g = new Group();
    const first = g.open();
    g.release(first);
    const second = g.open();
    expect(g.release(first)).toBe(false);
    expect(g.release({ ...second, incarnation: 77 })).toBe(false);
    expect(g.state.counts().connected).toBe(1);
    expect(g.release(second)).toBe(true);
    expect(g.release(second)).toBe(false);
    expect(g.effects.releasedClients).toEqual(["client", "client"]);
  });

  test("takes the last progress along", () => {
    const g = new Group();
    const opened = g.open();
    g.release(opened, { cursors: [2, 50], done: [{ shard: 2, ranges: [40, 60] }] });
    expect(g.details(opened)).toMatchObject({
      cursors: [0, 0, 50, 0],
      done: [{ shard: 2, ranges: [51, 60] }],
    });
  });

  test("[MQTT-4.4.0-1] keeps QoS 1 deliveries as named and QoS 2 ones as known", () => {
    const g = new Group();
    const first = g.open();
    g.release(first, { unfinished: [delivery(9, 90, { qos: 1 })] });
    const second = g.open();
    g.deliver(second, { assigned: [delivery(1, 101), delivery(2, 102)], received: [1] });
    g.deliver(second, { received: [1] });
    g.release(second, { unfinished: [delivery(7, 103, { qos: 1 })] });
    expect(g.open().unfinished).toEqual([
      delivery(1, 101, { received: true }),
      delivery(2, 102),
      delivery(7, 103, { qos: 1 }),
    ]);
  });

  test("[MQTT-4.6.0-1] takes the order from deliveries of any QoS that it names", () => {
    const g = new Group();
    const opened = g.open();
    g.deliver(opened, { assigned: [delivery(1, 101), delivery(2, 103)] });
    const order = [delivery(1, 101), delivery(5, 102, { qos: 1 }), delivery(2, 103)];
    g.release(opened, { unfinished: order });
    expect(g.open().unfinished).toEqual(order);
  });

  test("a QoS 1 delivery of a shared subscription is not kept: another member gets it", () => {
    const g = new Group();
    const opened = g.open();
    const queue = "$share/g/f";
    g.deliver(opened, { assigned: [delivery(1, 101, { queue })] });
    g.release(opened, { unfinished: [delivery(2, 102, { queue, qos: 1 })] });
    expect(g.open().unfinished).toEqual([delivery(1, 101, { queue })]);
  });

  test("[MQTT-3.14.4-3] a normal DISCONNECT drops the will", () => {
    const g = new Group();
    const opened = g.open({ will: will("w", 10) });
    g.release(opened, { will: "drop" });
    expect(g.details(opened)).toMatchObject({ will: undefined, willAt: 0 });
    g.now = 3_600_000;
    g.expire(opened);
    expect(g.effects.wills).toEqual([]);
  });

  test("[MQTT-3.1.2-23] an expiry that DISCONNECT changes counts from then on", () => {
    const g = new Group();
    const opened = g.open({ expiry: 10 });
    g.now = 1_000;
    g.release(opened, { expiry: 100 });
    expect(g.effects.deadlines.get(opened.incarnation)).toBe(101_000);
  });

  test("a DISCONNECT that changes the expiry to 0 ends the session", () => {
    const g = new Group();
    const opened = g.open({ expiry: 10, will: will("w", 5) });
    g.subscribe(opened, ["f"]);
    g.release(opened, { expiry: 0 });
    expect(g.state.counts().sessions).toBe(0);
    expect(g.effects.wills).toHaveLength(1);
    expect(g.effects.endedSessions).toEqual([opened.incarnation]);
  });

  test("a transient session does not become durable by its DISCONNECT", () => {
    const g = new Group();
    g.release(g.open({ expiry: 0 }), { expiry: 10 });
    expect(g.state.counts().sessions).toBe(0);
  });

  test("a session that never expires has no deadline", () => {
    const g = new Group();
    const opened = g.open({ expiry: EXPIRY_NEVER, will: will("w", 7) });
    g.release(opened);
    expect(g.effects.deadlines.get(opened.incarnation)).toBe(7_000);
    g.now = 7_000;
    expect(g.fireWill(opened)).toBe(1);
    expect(g.effects.deadlines.size).toBe(0);
    g.now = 1e12;
    expect(g.expire(opened)).toBe(0);
  });
});

describe("a transient session", () => {
  test("ends with its connection, and its will comes at once whatever its delay", () => {
    const g = new Group();
    const opened = g.open({ expiry: 0, will: will("w", 1000) });
    g.release(opened);
    expect(g.effects.wills).toHaveLength(1);
    // Its will leaves a trace in a store; without one there is nothing to clean up.
    expect(g.effects.endedSessions).toEqual([opened.incarnation]);
    g.release(g.open({ expiry: 0 }));
    expect(g.effects.endedSessions).toHaveLength(1);
  });

  test("has no subscriptions here", () => {
    const g = new Group();
    const opened = g.open({ expiry: 0 });
    expect(g.subscribe(opened, ["f"])).toBeUndefined();
    expect(g.effects.routeLog).toEqual([]);
  });
});

describe("gateway down", () => {
  test("releases the gateway's own sessions alone", () => {
    const g = new Group();
    const other = g.up();
    const mine = g.open({ clientId: "mine", will: will("w") });
    const moved = g.open({ clientId: "moved" });
    g.release(moved);
    const now = g.open({ clientId: "moved", gateway: other });
    expect(g.down(g.gateway, mine, moved)).toBe(1);
    expect(g.details(now).gateway).toBe(other);
    expect(g.details(mine).gateway).toBe(0);
    expect(g.effects.wills).toHaveLength(1);
    expect(g.down(g.gateway, mine)).toBe(0);
  });

  test("keeps QoS 1 deliveries that are above the cursor and not done", () => {
    const g = new Group();
    const first = g.open();
    const kept = [1, 2, 3, 4].map((id) => delivery(id, 100 + id, { qos: 1 }));
    const retained = delivery(5, 1, { qos: 1, source: "retained", queue: "topic" });
    g.release(first, { unfinished: [...kept, retained] });
    const second = g.open();
    g.progress(second, { cursors: [1, 101], done: [{ shard: 1, ranges: [103, 103] }] });
    g.down(g.gateway, second);
    expect(g.details(second).unfinished).toEqual([kept[1], kept[3], retained]);
  });
});

describe("deadlines", () => {
  test("[MQTT-4.1.0-2] the session ends when its expiry has passed, not before", () => {
    const g = new Group();
    const opened = g.open({ expiry: 10 });
    g.now = 500;
    g.release(opened);
    g.now = 10_499;
    expect(g.expire(opened)).toBe(0);
    g.now = 10_500;
    expect(g.expire(opened)).toBe(1);
    expect(g.expire(opened)).toBe(0);
    expect(g.state.counts().sessions).toBe(0);
  });

  test("an expiry or a will of an earlier epoch does nothing", () => {
    const g = new Group();
    const first = g.open({ expiry: 10, will: will("w", 5) });
    g.release(first);
    const second = g.open({ expiry: 10, will: will("w", 5) });
    g.now = 1_000_000;
    expect(g.expire(first, second)).toBe(0);
    expect(g.fireWill(first, second)).toBe(0);
    g.release(second);
    expect(g.expire(first)).toBe(0);
  });

  test("[MQTT-3.1.2-8] the will comes after its delay, or with the end of the session", () => {
    const g = new Group();
    const late = g.open({ clientId: "late", expiry: 10, will: will("late", 100) });
    const early = g.open({ clientId: "early", expiry: 100, will: will("early", 10) });
    g.release(late);
    g.release(early);
    g.now = 10_000;
    expect(g.effects.deadlines).toEqual(
      new Map([
        [late.incarnation, 10_000],
        [early.incarnation, 10_000],
      ]),
    );
    g.expire(late);
    g.fireWill(early);
    expect(g.effects.wills.map(({ incarnation }) => incarnation)).toEqual([
      late.incarnation,
      early.incarnation,
    ]);
    expect(g.effects.deadlines.get(early.incarnation)).toBe(100_000);
  });

  test("[MQTT-3.1.2-10] a published will is gone from the session, and kept until it is done", () => {
    const g = new Group();
    const opened = g.open({ will: will("w") });
    g.release(opened);
    expect(g.details(opened).will).toBeUndefined();
    expect([...g.state.pendingWills()]).toHaveLength(1);
    const { incarnation, epoch } = opened;
    expect(g.apply({ type: "will-done", wills: [{ incarnation, epoch }] })).toBe(1);
    expect([...g.state.pendingWills()]).toEqual([]);
  });

  test("the clock never goes back", () => {
    const g = new Group();
    g.now = 5_000;
    g.apply({ type: "tick" });
    g.now = 1_000;
    g.release(g.open({ expiry: 10 }));
    expect(g.state.clock).toBe(5_000);
    expect(g.effects.deadlines.get(1)).toBe(15_000);
  });
});
