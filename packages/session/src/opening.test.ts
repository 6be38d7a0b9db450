import { describe, expect, test } from "vitest";
import { delivery, Group, will } from "../test/group.ts";
import { EXPIRY_NEVER } from "./port.ts";

describe("open", () => {
  test("[MQTT-3.1.2-6] without a session a new one is made", () => {
    const g = new Group();
    expect(g.open({ user: "u" })).toEqual({
      incarnation: 1,
      epoch: 1,
      sessionPresent: false,
      subscriptions: [],
      cursors: [0, 0, 0, 0],
      done: [],
      unfinished: [],
      receiptShards: [],
    });
    expect(g.state.counts()).toEqual({
      sessions: 1,
      connected: 1,
      durable: 1,
      subscriptions: 0,
    });
    expect(g.state.sessionOf("client")).toMatchObject({ incarnation: 1, user: "u" });
  });

  test("[MQTT-3.1.2-5] [MQTT-3.2.2-3] a kept session is continued under the next epoch", () => {
    const g = new Group();
    const first = g.open();
    g.subscribe(first, ["f"]);
    g.progress(first, { cursors: [1, 110], done: [{ shard: 1, ranges: [112, 113] }] });
    g.deliver(first, { assigned: [delivery(1, 111)] });
    g.release(first);
    expect(g.open()).toMatchObject({
      incarnation: first.incarnation,
      epoch: 2,
      sessionPresent: true,
      subscriptions: [{ filter: "f", starts: [100, 100, 100, 100] }],
      cursors: [0, 110, 0, 0],
      done: [{ shard: 1, ranges: [112, 113] }],
      unfinished: [{ packetId: 1, offset: 111 }],
    });
  });

  test("[MQTT-3.1.2-4] Clean Start makes a new incarnation and ends the old one", () => {
    const g = new Group();
    const first = g.open();
    g.subscribe(first, ["f"]);
    g.release(first);
    const second = g.open({ cleanStart: true });
    expect(second).toMatchObject({ incarnation: 2, epoch: 1, sessionPresent: false });
    expect(second.subscriptions).toEqual([]);
    expect(g.effects.routeLog).toEqual(["+f", "-f"]);
    expect(g.effects.endedSessions).toEqual([first.incarnation]);
    expect([...g.state.ended()]).toEqual([first.incarnation]);
    g.apply({ type: "ended-cleaned", incarnations: [first.incarnation] });
    expect([...g.state.ended()]).toEqual([]);
  });

  test("a session that a gateway has is not opened, also not with Clean Start", () => {
    const g = new Group();
    g.open();
    expect(g.tryOpen()).toEqual({ status: "held" });
    expect(g.tryOpen({ cleanStart: true })).toEqual({ status: "held" });
    expect(g.state.counts().sessions).toBe(1);
  });

  test("a gateway that is down, or was never up, opens nothing", () => {
    const g = new Group();
    expect(g.tryOpen({ gateway: 99 })).toEqual({ status: "refused" });
    g.members(g.state.version + 1, { gatewaysGone: [g.gateway] });
    expect(g.tryOpen()).toEqual({ status: "refused" });
    expect(g.state.counts().sessions).toBe(0);
  });

  test("a session whose time is over is not continued, though its end has not been committed", () => {
    const g = new Group();
    g.release(g.open({ expiry: 10 }));
    g.now = 9_999;
    g.release(g.open({ expiry: 10 }));
    g.now += 10_000;
    expect(g.open({ expiry: 10 })).toMatchObject({ sessionPresent: false, incarnation: 2 });
  });

  test("a CONNECT with expiry 0 continues a durable session, which then ends with the connection", () => {
    const g = new Group();
    const first = g.open();
    g.subscribe(first, ["f"]);
    g.release(first);
    const second = g.open({ expiry: 0 });
    expect(second).toMatchObject({ sessionPresent: true, subscriptions: [{ filter: "f" }] });
    expect(g.subscribe(second, ["g"])).toBeDefined();
    g.release(second);
    expect(g.state.counts()).toMatchObject({ sessions: 0, subscriptions: 0 });
    expect(g.effects.routes.size).toBe(0);
  });

  test("incarnations only grow, whoever they belong to", () => {
    const g = new Group();
    const seen = ["a", "b", "a"].map((clientId) => {
      const opened = g.open({ clientId, expiry: 0 });
      g.release(opened);
      return opened.incarnation;
    });
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe("a will at a reconnect", () => {
  test("[MQTT-3.1.3-9] is dropped if the session continues before the delay has passed", () => {
    const g = new Group();
    g.release(g.open({ will: will("w", 30) }));
    g.now = 29_999;
    const again = g.open();
    g.now = 60_000;
    expect(g.fireWill(again)).toBe(0);
    g.release(again);
    expect(g.effects.wills).toEqual([]);
  });

  test("[MQTT-3.1.2-8] is published if the delay has passed, though that was not committed", () => {
    const g = new Group();
    const first = g.open({ will: will("w", 30) });
    g.release(first);
    g.now = 30_000;
    expect(g.open().sessionPresent).toBe(true);
    expect(g.effects.wills).toMatchObject([{ incarnation: first.incarnation, epoch: 1 }]);
  });

  test("[MQTT-3.1.2-8] is published if Clean Start ends the session", () => {
    const g = new Group();
    g.release(g.open({ will: will("w", 30, 5) }));
    g.open({ cleanStart: true });
    expect(g.effects.wills).toMatchObject([{ incarnation: 1, epoch: 1, expiry: 5 }]);
    expect(g.state.isWillPending(1, 1)).toBe(true);
  });

  test("[MQTT-3.1.2-8] is published if the session's time is over", () => {
    const g = new Group();
    g.release(g.open({ will: will("w", 100), expiry: 50 }));
    g.now = 50_000;
    g.open();
    expect(g.effects.wills).toHaveLength(1);
  });

  test("[MQTT-3.1.2-7] the new connection's will takes its place", () => {
    const g = new Group();
    g.release(g.open({ will: will("old", 30) }));
    const again = g.open({ will: will("new"), expiry: EXPIRY_NEVER });
    g.release(again);
    expect(g.effects.wills.map(({ record }) => Buffer.from(record).toString())).toEqual(["new"]);
  });
});

describe("the same open again", () => {
  test("is answered as before, whatever was done since, and takes nothing over", () => {
    const g = new Group();
    const first = g.open({ requestId: 7 });
    g.subscribe(first, ["f"]);
    const again = g.open({ requestId: 7 });
    expect(again).toMatchObject({ ...first, subscriptions: [{ filter: "f" }] });
    g.release(again);
    const second = g.open({ requestId: 8 });
    expect(second).toMatchObject({ epoch: 2, sessionPresent: true });
    expect(g.open({ requestId: 8 })).toEqual(second);
  });

  test("is another gateway's, or a later one of the same gateway, where its number differs", () => {
    const g = new Group();
    g.open({ requestId: 7 });
    expect(g.tryOpen({ requestId: 8 })).toEqual({ status: "held" });
    expect(g.tryOpen({ requestId: 7, gateway: g.up() })).toEqual({ status: "held" });
    expect(g.tryOpen({ requestId: 0 })).toEqual({ status: "held" });
  });
});
