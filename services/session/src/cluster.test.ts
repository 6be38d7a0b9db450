import { EXPIRY_NEVER, SessionError } from "@canopy/session";
import { waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { Cluster, type Member } from "../test/cluster.ts";
import {
  FakeStores,
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

describe("a leader that is killed", () => {
  test("in the middle of a claim: the next one asks the owner, and the claim goes on there", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const [owner, claimant] = [await cluster.attach(first), await cluster.attach(first)];
    const opened = await first.service.sessions.open(openRequest(owner));
    const request = openRequest(claimant);
    const lost = Promise.allSettled([first.service.sessions.open(request)]);
    await cluster.kill(first);
    expect(await lost).toMatchObject([{ status: "rejected" }]);
    const { sessions } = (await cluster.leader()).service;
    const claim = sessions.open(request);
    // The owner has not come to this leader yet: when it does, it is asked at once.
    const asked: number[] = [];
    const stop = (_incarnation: number, epoch: number) => {
      asked.push(epoch);
      void sessions.release(releaseOf(opened));
    };
    await sessions.attach(owner, { stop });
    expect(await claim).toMatchObject({ sessionPresent: true, epoch: 2 });
    expect(asked).toEqual([1]);
    // Its answer is lost too.
    expect(await sessions.open(request)).toMatchObject({ sessionPresent: true, epoch: 2 });
    expect(asked).toEqual([1]);
  });

  test("between an open and its answer: asked again it is the same open", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const gateway = await cluster.attach(first);
    const request = openRequest(gateway);
    const opened = await first.service.sessions.open(request);
    await cluster.kill(first);
    const second = await cluster.leader();
    expect(await second.service.sessions.open(request)).toEqual(opened);
    await second.service.sessions.withdraw(request);
    expect(second.service.counts.connected).toBe(0);
  });

  test("in the middle of a subscribe: repeated it begins where it began, and its route is in force", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const other = new FakeStores();
    cluster.addStore(other);
    const opened = await first.service.sessions.open(openRequest(await cluster.attach(first)));
    await waitFor(() => other.batches.length === 1);
    const hanging = () => new Promise<void>(() => {});
    other.gate = hanging;
    const subscribed = Promise.allSettled([
      first.service.sessions.subscribe(subscribeTo(opened, "f")),
    ]);
    await waitFor(() => cluster.stores.routesNow.has("f"));
    await cluster.kill(first);
    expect(await subscribed).toMatchObject([
      { status: "rejected", reason: { code: "indeterminate" } },
    ]);
    other.gate = () => Promise.resolve();
    cluster.stores.headsNow = [100, 100, 100, 100];
    const { sessions } = (await cluster.leader()).service;
    const again = await sessions.subscribe(subscribeTo(opened, "f"));
    expect(again).toMatchObject({ subscriptions: [{ starts: [10, 20, 30, 40] }] });
    for (const store of [cluster.stores, other]) {
      expect([...store.routesNow]).toEqual(["f"]);
      expect(store.batches.at(-1)?.term).toBeGreaterThan(store.batches[0]?.term as number);
    }
  });

  test("in the middle of a gateway's end: the next one releases the rest, each will once", async () => {
    const cluster = await Cluster.start();
    const first = await cluster.leader();
    const gateway = await cluster.attach(first);
    const other = await cluster.attach(first);
    await Promise.all(
      Array.from({ length: 3_000 }, (_, i) => {
        const request = openRequest(i === 0 ? other : gateway, {
          clientId: `c${i}`,
          will: i < 20 ? will(`w${i}`, 0) : undefined,
        });
        return first.service.sessions.open(request);
      }),
    );
    // It is cut off when the first of several batches is applied.
    let left = 0;
    cluster.stores.gate = async (call) => {
      if (call !== "publishWill" || left > 0) return;
      left = first.service.counts.connected;
      cluster.network.cutOff.add(first.name);
    };
    cluster.end(gateway);
    await waitFor(() => left > 0);
    const second = await cluster.leader();
    expect(left).toBe(2_000);
    await waitFor(() => second.service.counts.connected === 1);
    await waitFor(() => new Set(cluster.stores.wills.map(keyOf)).size === 19);
    // One that the first leader had on its way may have been given again: the store knows it by its key.
    expect(new Set(cluster.stores.wills.map(({ record }) => textOf(record))).size).toBe(19);
  });
});

test("a store that an earlier leader has let in is waited for by one that does not know it yet", async () => {
  const cluster = await Cluster.start();
  const first = await cluster.leader();
  const gateway = await cluster.attach(first);
  const opened = await first.service.sessions.open(openRequest(gateway));
  const holds = others(cluster, first).map(({ view }) => cluster.control.hold(view));
  const other = new FakeStores();
  const store = cluster.addStore(other);
  await waitFor(() => first.service.version >= store);
  await cluster.kill(first);
  const second = await cluster.leader();
  await waitFor(() => second.service.version >= store);
  const subscribed = second.service.sessions.subscribe(subscribeTo(opened, "f"));
  let settled = false;
  void subscribed.then(() => {
    settled = true;
  });
  await waitFor(() => cluster.stores.routesNow.has("f"));
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(settled).toBe(false);
  for (const release of holds) release();
  await subscribed;
  expect([...other.routesNow]).toEqual(["f"]);
});

function keyOf({ incarnation, epoch }: { incarnation: number; epoch: number }): string {
  return `${incarnation}/${epoch}`;
}
