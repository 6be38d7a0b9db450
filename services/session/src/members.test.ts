import { SessionError } from "@canopy/session";
import { OFFSETS_PER_EPOCH } from "@canopy/store";
import { waitFor } from "@canopy/testkit";
import { shardOf } from "@canopy/topic";
import { describe, expect, test } from "vitest";
import {
  FakeStores,
  Harness,
  idlePeer,
  openRequest,
  releaseOf,
  SHARDS,
  subscribeTo,
  textOf,
  willRecord,
} from "../test/harness.ts";

function code(expected: SessionError["code"]): object {
  return expect.objectContaining({ code: expected });
}

const will = (text: string, topic: string) => ({
  record: willRecord(text, topic),
  delay: 0,
  expiry: undefined,
});

/** A name of a topic in this shard. */
function topicIn(shard: number): string {
  for (let i = 0; ; i++) if (shardOf(`t${i}`, SHARDS) === shard) return `t${i}`;
}

/** Turns of the event loop go by: what needs no more than that has happened. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Whether it has settled by now. */
function watch(promise: Promise<unknown>): { readonly settled: boolean } {
  const watched = { settled: false };
  const note = () => {
    watched.settled = true;
  };
  promise.then(note, note);
  return watched;
}

describe("a gateway", () => {
  test("that the group does not know yet is refused as unavailable, and attached when it does", async () => {
    const h = await Harness.start();
    const release = h.control.hold(h.view);
    const gateway = h.control.join("gateway");
    await expect(h.sessions.open(openRequest(gateway))).rejects.toEqual(code("unavailable"));
    const attached = h.sessions.attach(gateway, idlePeer);
    const attaching = watch(attached);
    await turns();
    expect(attaching.settled).toBe(false);
    release();
    await attached;
    await h.sessions.open(openRequest(gateway));
  });

  test("that is down may still open sessions; one that is gone, or was never seen, may not", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    h.control.down(gateway);
    await h.sessions.open(openRequest(gateway));
    await h.end(gateway);
    await expect(h.sessions.open(openRequest(gateway))).rejects.toEqual(code("stale"));
    await expect(h.sessions.attach(gateway, idlePeer)).rejects.toEqual(code("stale"));
    const release = h.control.hold(h.view);
    const unseen = h.control.join("gateway");
    h.control.down(unseen);
    const version = h.control.gone(unseen);
    const attached = h.sessions.attach(unseen, idlePeer);
    release();
    await expect(attached).rejects.toEqual(code("stale"));
    expect(h.service.version).toBe(version);
  });

  test("hears of claims by the peer that it attached last", async () => {
    const h = await Harness.start();
    const heard: string[] = [];
    const peer = (name: string) => ({ stop: () => heard.push(name) });
    const gateway = await h.attach(peer("first"));
    await h.sessions.open(openRequest(gateway));
    await h.sessions.attach(gateway, peer("second"));
    const claim = h.sessions.open(openRequest(await h.attach()));
    await waitFor(() => heard.length === 1);
    expect(heard).toEqual(["second"]);
    await h.end(gateway, 1);
    await claim;
  });
});

describe("an open without an answer", () => {
  test("is the same open when it is asked again, not a takeover of itself", async () => {
    const h = await Harness.start();
    const stops: number[] = [];
    const gateway = await h.attach({ stop: (_, epoch) => stops.push(epoch) });
    const request = openRequest(gateway);
    const opened = await h.sessions.open(request);
    expect(await h.sessions.open(request)).toEqual(opened);
    const [first, again] = await Promise.allSettled([
      h.sessions.open({ ...request, clientId: "other" }),
      h.sessions.open({ ...request, clientId: "other" }),
    ]);
    expect([first, again]).toMatchObject([
      { status: "fulfilled", value: { epoch: 1 } },
      { status: "fulfilled", value: { epoch: 1 } },
    ]);
    expect(stops).toEqual([]);
  });

  test("is taken back without its will, unless a later one has the session", async () => {
    const h = await Harness.start();
    const gateway = await h.attach();
    const first = openRequest(gateway, { will: will("never", "wills") });
    await h.sessions.open(first);
    await h.sessions.withdraw(first);
    expect(h.service.counts.connected).toBe(0);
    await h.sessions.open(openRequest(gateway));
    await h.sessions.withdraw(first);
    expect(h.service.counts.connected).toBe(1);
    expect(h.stores.wills).toEqual([]);
  });
});

describe("routes", () => {
  test("a subscribe waits for every store, but not for one that is down", async () => {
    const h = await Harness.start();
    const other = new FakeStores();
    const store = h.addStore(other);
    const opened = await h.sessions.open(openRequest(await h.attach()));
    await waitFor(() => other.batches.length === 1);
    const gate = Promise.withResolvers<void>();
    other.gate = (call) => (call === "routes" ? gate.promise : Promise.resolve());
    const subscribed = h.sessions.subscribe(subscribeTo(opened, "f"));
    const subscribing = watch(subscribed);
    await waitFor(() => h.stores.routesNow.has("f"));
    await turns();
    expect(subscribing.settled).toBe(false);
    h.control.storeDown(store);
    await subscribed;
    await h.sessions.subscribe(subscribeTo(opened, "g"));
    expect([...h.stores.routesNow]).toEqual(["f", "g"]);
  });

  test("one that joins is told everything, then what changes", async () => {
    const h = await Harness.start();
    const opened = await h.sessions.open(openRequest(await h.attach()));
    await h.sessions.subscribe(subscribeTo(opened, "a", "b"));
    const other = new FakeStores();
    const store = h.addStore(other);
    await waitFor(() => other.batches.length === 1);
    const { queries } = h.service;
    expect(await queries.routes(store)).toMatchObject({ group: 1, seq: 2, filters: ["a", "b"] });
    await expect(queries.routes(store + 100)).rejects.toEqual(code("unavailable"));
    const { incarnation, epoch } = opened;
    await h.sessions.unsubscribe({ incarnation, epoch, filters: ["a"], draining: [] });
    await h.sessions.subscribe(subscribeTo(opened, "c"));
    const [whole, ...changes] = other.batches;
    expect(whole).toMatchObject({
      whole: true,
      seq: 2,
      changes: [{ filter: "a" }, { filter: "b" }],
    });
    expect(changes.map((batch) => batch.whole)).not.toContain(true);
    expect(changes.at(-1)).toMatchObject({ seq: 4 });
    expect([...other.routesNow].sort()).toEqual(["b", "c"]);
  });

  test("a store that misses some is told everything again", async () => {
    const h = await Harness.start();
    const opened = await h.sessions.open(openRequest(await h.attach()));
    await h.sessions.subscribe(subscribeTo(opened, "a"));
    let refusals = 1;
    h.stores.gate = async (call) => {
      if (call === "routes" && refusals-- > 0) throw new SessionError("stale", "begin anew");
    };
    const subscribed = h.sessions.subscribe(subscribeTo(opened, "b"));
    await waitFor(() => h.time.pending > 0);
    h.time.advance(100);
    await subscribed;
    expect(h.stores.batches.at(-1)).toMatchObject({ whole: true, seq: 2 });
    expect([...h.stores.routesNow]).toEqual(["a", "b"]);
  });
});

describe("heads", () => {
  test("come from the owners; a shard without one begins at its next epoch", async () => {
    const h = await Harness.start();
    const other = new FakeStores();
    const store = h.addStore(other);
    other.headsNow = [undefined, 21, undefined, 41];
    h.control.own(1, store, 7);
    h.control.own(2, 0, 5);
    h.control.own(3, store, 2);
    const opened = await h.sessions.open(openRequest(await h.attach()));
    await waitFor(() => h.service.version >= store);
    const { subscriptions } = await h.sessions.subscribe(subscribeTo(opened, "f"));
    expect(subscriptions[0]?.starts).toEqual([10, 21, 6 * OFFSETS_PER_EPOCH, 41]);
    h.control.storeDown(store);
    const again = await h.sessions.subscribe(subscribeTo(opened, "g"));
    const ofNobody = [8, 6, 3].map((epoch) => epoch * OFFSETS_PER_EPOCH);
    expect(again.subscriptions[0]?.starts).toEqual([10, ...ofNobody]);
  });

  test("an owner that does not know that it is one is asked again", async () => {
    const h = await Harness.start();
    h.stores.headsNow = [10, undefined, 30, 40];
    const opened = await h.sessions.open(openRequest(await h.attach()));
    const subscribed = h.sessions.subscribe(subscribeTo(opened, "f"));
    await waitFor(() => h.time.pending === 1);
    h.stores.headsNow = [11, 21, 31, 41];
    h.time.advance(100);
    const { subscriptions } = await subscribed;
    expect(subscriptions[0]?.starts).toEqual([10, 21, 30, 40]);
  });
});

describe("wills", () => {
  test("[MQTT-3.1.2-8] go to the owner of their topic's shard, also to the next one", async () => {
    const h = await Harness.start();
    const other = new FakeStores();
    const store = h.addStore(other);
    h.control.own(1, store, 2);
    h.control.own(2, 0, 2);
    await waitFor(() => h.service.version >= store);
    const gateway = await h.attach();
    const hanging = new Promise<void>(() => {});
    other.gate = (call) => (call === "publishWill" ? hanging : Promise.resolve());
    for (const shard of [0, 1, 2]) {
      const request = openRequest(gateway, {
        clientId: `c${shard}`,
        will: will(`w${shard}`, topicIn(shard)),
      });
      await h.sessions.release(releaseOf(await h.sessions.open(request)));
    }
    await waitFor(() => h.stores.wills.length === 1);
    // The owner of one dies with the will in its hands; the other shard had none.
    h.control.storeDown(store);
    h.control.own(1, h.store, 3);
    h.control.own(2, h.store, 3);
    await waitFor(() => {
      h.time.advance(50);
      return h.stores.wills.length === 3;
    });
    expect(h.stores.wills.map(({ record }) => textOf(record)).sort()).toEqual(["w0", "w1", "w2"]);
    expect(other.wills).toEqual([]);
  });
});

test("a will whose shard has had no owner for long goes as soon as there is one", async () => {
  const h = await Harness.start();
  h.control.own(1, 0, 2);
  const gateway = await h.attach();
  const request = openRequest(gateway, { will: will("w", topicIn(1)) });
  await h.sessions.release(releaseOf(await h.sessions.open(request)));
  for (let i = 0; i < 100; i++) {
    h.time.advance(1_000);
    await turns();
  }
  expect(h.stores.wills).toEqual([]);
  h.control.own(1, h.store, 3);
  await waitFor(() => h.stores.wills.length === 1);
});

test("the end of sessions is told to every store that is not down", async () => {
  const h = await Harness.start();
  const [live, dead] = [new FakeStores(), new FakeStores()];
  const stores = [h.addStore(live), h.addStore(dead)];
  await waitFor(() => h.service.version >= (stores[1] as number));
  dead.gate = () => new Promise(() => {});
  const opened = await h.sessions.open(openRequest(await h.attach(), { expiry: 1 }));
  await h.sessions.release(releaseOf(opened));
  h.time.advance(1_000);
  await waitFor(() => live.ended.length === 1 && h.stores.ended.length === 1);
  const { queries } = h.service;
  expect(await queries.areLive([opened.incarnation])).toEqual([true]);
  h.control.storeDown(stores[1] as number);
  await waitFor(async () => (await queries.areLive([opened.incarnation]))[0] === false);
});

test("incarnations are the group's own, and queries are answered by the leader", async () => {
  const h = await Harness.start({ groups: 4, group: 3 });
  const gateway = await h.attach();
  const ids = ["a", "b", "c"];
  const opened = await Promise.all(
    ids.map((clientId) => h.sessions.open(openRequest(gateway, { clientId }))),
  );
  expect(opened.map(({ incarnation }) => incarnation)).toEqual([6, 10, 14]);
  expect(await h.service.queries.areLive([6, 7, 10])).toEqual([true, false, true]);
});
