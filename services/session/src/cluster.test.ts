import { EXPIRY_NEVER, SessionError } from "@canopy/session";
import { waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { Cluster, type Member } from "../test/cluster.ts";
import {
  idlePeer,
  openRequest,
  progressOf,
  releaseOf,
  subscribeTo,
  textOf,
  willRecord,
} from "../test/harness.ts";

const will = (text: string, delay: number) => ({
  record: willRecord(text),
  delay,
  expiry: undefined,
});

function notLeader(leader?: string): object {
  return expect.objectContaining({ code: "not-leader", ...(leader && { leader }) });
}

async function routesOf({ service }: Member): Promise<readonly string[]> {
  return (await service.queries.routes(0)).filters;
}

function others(cluster: Cluster, member: Member): Member[] {
  return cluster.members.filter((other) => other !== member);
}

describe("three nodes", () => {
  test("have one leader; the others name it", async () => {
    const cluster = await Cluster.start();
    const leader = await cluster.leader();
    const gateway = await cluster.attach(leader);
    const opened = await leader.service.sessions.open(openRequest(gateway));
    for (const { service } of others(cluster, leader)) {
      expect(service.leading).toBe(false);
      const { sessions } = service;
      for (const asked of [
        () => sessions.attach(gateway, idlePeer),
        () => sessions.withdraw(openRequest(gateway)),
        () => sessions.counts(),
        () => sessions.open(openRequest(gateway)),
        () => sessions.release(releaseOf(opened)),
        () => sessions.subscribe(subscribeTo(opened, "f")),
        () => sessions.unsubscribe({ ...opened, filters: ["f"], draining: [] }),
        () => sessions.progress([progressOf(opened)]),
        () => sessions.deliveries([]),
      ]) {
        await expect(asked()).rejects.toEqual(notLeader(leader.name));
      }
      await waitFor(() => service.counts.sessions === 1);
    }
  });

  test("keep the same state when the leader is killed, and the next one goes on with it", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const { sessions } = first.service;
    const gateway = await cluster.attach(first);
    const opened = await sessions.open(openRequest(gateway));
    await sessions.subscribe(subscribeTo(opened, "a/b"));
    await sessions.progress([progressOf(opened, { cursors: [1, 25] })]);
    await cluster.kill(first);
    const second = await cluster.leader();
    expect(await routesOf(second)).toEqual(["a/b"]);
    cluster.end(gateway);
    const again = await cluster.attach(second);
    await expect(second.service.sessions.open(openRequest(gateway))).rejects.toMatchObject({
      code: "stale",
    });
    expect(await second.service.sessions.open(openRequest(again))).toMatchObject({
      incarnation: opened.incarnation,
      epoch: 2,
      sessionPresent: true,
      cursors: [0, 25, 0, 0],
      subscriptions: [{ filter: "a/b", starts: [10, 20, 30, 40] }],
    });
    // The one that was killed comes back and follows.
    cluster.network.cutOff.clear();
    const back = await cluster.add(first.name);
    await waitFor(() => back.service.counts.connected === 1);
    expect(back.service.leading).toBe(false);
  });

  test("[MQTT-3.1.3-9] [MQTT-4.1.0-2] wills and expiries that fall due are the next leader's", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const { sessions } = first.service;
    const gateway = await cluster.attach(first);
    const open = (clientId: string, expiry: number, delay: number) =>
      sessions.open(openRequest(gateway, { clientId, expiry, will: will(clientId, delay) }));
    await open("still connected", EXPIRY_NEVER, 0);
    const delayed = await open("delayed", EXPIRY_NEVER, 60);
    const expiring = await open("expiring", 90, 1_000);
    await sessions.subscribe(subscribeTo(expiring, "f"));
    await sessions.release(releaseOf(delayed));
    await sessions.release(releaseOf(expiring));
    // One is due and can't be published until somebody else leads.
    const gate = Promise.withResolvers<void>();
    cluster.stores.gate = (call) => (call === "publishWill" ? gate.promise : Promise.resolve());
    await sessions.release(releaseOf(await open("pending", EXPIRY_NEVER, 0)));
    await cluster.kill(first);
    gate.reject(new Error("its process is gone"));
    cluster.stores.gate = () => Promise.resolve();
    const second = await cluster.leader();
    await waitFor(() => cluster.stores.wills.length === 1);
    cluster.end(gateway);
    await waitFor(() => cluster.stores.wills.length === 4);
    const order = cluster.stores.wills.map(({ record }) => textOf(record));
    expect(order.slice(0, 2)).toEqual(["pending", "still connected"]);
    expect(order.slice(2)).toEqual(["delayed", "expiring"]);
    await waitFor(() => cluster.stores.ended.length === 1);
    expect(second.service.counts).toMatchObject({ sessions: 3, subscriptions: 0 });
    // The one that follows comes to know all of it.
    for (const { service } of others(cluster, second)) {
      await waitFor(() => service.counts.sessions === 3);
    }
    expect(cluster.stores.wills).toHaveLength(4);
  });

  test("whoever waits when leadership ends is told so, and nothing of it stays behind", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const { sessions } = first.service;
    const gateway = await cluster.attach(first);
    await sessions.open(openRequest(gateway, { clientId: "held" }));
    const opened = await sessions.open(openRequest(gateway, { clientId: "subscriber" }));
    const claim = Promise.allSettled([sessions.open(openRequest(gateway, { clientId: "held" }))]);
    // One whose command is not made yet, and one whose routes are not in force yet.
    cluster.stores.gate = (call) => (call === "routes" ? new Promise(() => {}) : Promise.resolve());
    const applied = Promise.allSettled([sessions.subscribe(subscribeTo(opened, "applied"))]);
    await waitFor(() => first.service.counts.subscriptions === 1);
    cluster.stores.gate = () => new Promise(() => {});
    const heads = cluster.stores.headsAsked;
    const asked = Promise.allSettled([sessions.subscribe(subscribeTo(opened, "asked"))]);
    await waitFor(() => cluster.stores.headsAsked > heads);
    cluster.network.cutOff.add(first.name);
    // Taken by a leader that nobody hears any more.
    const cut = Promise.allSettled([sessions.open(openRequest(gateway, { clientId: "cut off" }))]);
    cluster.stores.gate = () => Promise.resolve();
    const second = await cluster.leader();
    await waitFor(() => !first.service.leading);
    expect(await claim).toEqual([{ status: "rejected", reason: notLeader() }]);
    expect(await asked).toEqual([{ status: "rejected", reason: notLeader() }]);
    for (const outcome of [applied, cut]) {
      const [settled] = await outcome;
      expect(settled).toMatchObject({
        status: "rejected",
        reason: expect.any(SessionError) as Error,
      });
      expect(settled).toMatchObject({ reason: { code: "indeterminate" } });
    }
    await waitFor(() => second.service.counts.subscriptions === 1);
    expect(await routesOf(second)).toEqual(["applied"]);
    cluster.end(gateway);
    const again = await cluster.attach(second);
    const claimed = await second.service.sessions.open(openRequest(again, { clientId: "held" }));
    expect(claimed).toMatchObject({ sessionPresent: true, epoch: 2 });
    // The old one comes back, and has what the others have: nothing of what was cut off.
    cluster.network.cutOff.clear();
    await waitFor(() => second.service.counts.connected === 1);
    await waitFor(() => first.service.counts.connected === 1);
    expect(first.service.counts).toEqual(second.service.counts);
    await expect(cluster.attach(first)).rejects.toEqual(notLeader(second.name));
  });

  test("one that leads again begins anew from the state", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const gateway = await cluster.attach(first);
    await first.service.sessions.open(openRequest(gateway, { expiry: 60, will: will("w", 30) }));
    cluster.network.cutOff.add(first.name);
    const second = await cluster.leader();
    await waitFor(() => !first.service.leading);
    cluster.end(gateway);
    cluster.network.cutOff.clear();
    await waitFor(() => first.service.counts.connected === 0);
    await cluster.kill(second);
    await cluster.leader();
    await waitFor(() => cluster.stores.wills.length === 1);
    const leader = await cluster.leader();
    await waitFor(() => leader.service.counts.sessions === 0);
  });
});
