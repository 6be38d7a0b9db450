/** One node: leases, both steps of an end, shards, watches. */
import type { Control, Incarnation } from "@canopy/control";
import { FakeTime, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import {
  ControlCluster,
  type ControlOptions,
  gateway,
  LEASE,
  Seen,
  session,
  store,
} from "../../test/control.ts";

async function start(options: ControlOptions = {}) {
  const cluster = await ControlCluster.start(1, options);
  const { control, service } = await cluster.leader();
  const view = service.view;
  const renew = (incarnation: Incarnation, acknowledged = view.version) =>
    control.renew({ incarnation, acknowledged });
  const isUp = (incarnation: Incarnation) => view.member(incarnation) !== undefined;
  return { cluster, control, view, renew, isUp };
}

async function join(control: Control, request: Parameters<Control["join"]>[0]): Promise<number> {
  return (await control.join(request)).incarnation;
}

const quiet = { ended: () => {} };

describe("leases", () => {
  test("last as long as they are renewed, and no longer", async () => {
    const { cluster, control, renew, isUp } = await start();
    const g = await join(control, gateway("g"));
    const s = await join(control, store("s"));
    await cluster.pass(4 * LEASE, () => Promise.all([renew(g), renew(s)]));
    expect([isUp(g), isUp(s)]).toEqual([true, true]);
    await cluster.pass(LEASE - 100, () => renew(s));
    expect(isUp(g)).toBe(true);
    await cluster.pass(100, () => renew(s));
    await waitFor(() => !isUp(g));
    expect(isUp(s)).toBe(true);
    await expect(renew(g)).rejects.toMatchObject({ code: "ended" });
    await cluster.pass(LEASE);
    await waitFor(() => !isUp(s));
  });

  test("a join that is asked again is the same life; one under the same name ends the earlier gateway", async () => {
    const { control, isUp, view } = await start();
    const request = gateway("g");
    const first = await control.join(request);
    expect(await control.join(request)).toEqual({ ...first, lease: LEASE });
    const second = await join(control, gateway("g"));
    expect(second).toBeGreaterThan(first.incarnation);
    expect([isUp(first.incarnation), isUp(second)]).toEqual([false, true]);
    await expect(join(control, { ...gateway(""), name: "" })).rejects.toMatchObject({
      code: "refused",
    });
    await waitFor(() => !view.isDown(first.incarnation));
  });

  test("a gateway that does not give up sessions is not renewed while others say so, a store process is", async () => {
    const { cluster, control, renew, isUp } = await start();
    const g = await join(control, gateway("g"));
    const s = await join(control, store("s"));
    await control.accuse(g);
    await control.accuse(s);
    await expect(renew(g)).rejects.toMatchObject({ code: "unavailable" });
    await renew(s);
    await cluster.pass(1_500);
    await renew(g);
    const accused = () =>
      Promise.all([control.accuse(g), renew(s), renew(g).catch(() => undefined)]);
    await cluster.pass(LEASE - 100, accused);
    expect(isUp(g)).toBe(true);
    await cluster.pass(100, accused);
    await waitFor(() => !isUp(g));
    expect(isUp(s)).toBe(true);
  });

  test("a member that obeys nothing newer for a second is not renewed, though it asks", async () => {
    const { cluster, control, renew, isUp, view } = await start();
    const g = await join(control, gateway("g"));
    const s = await join(control, store("s"));
    await cluster.pass(1_000, () => renew(g));
    const known = view.version;
    await control.ban({ kind: "client", value: "c", reason: "", until: 0 });
    await cluster.pass(900);
    await renew(s, known);
    await cluster.pass(100);
    await expect(renew(s, known)).rejects.toMatchObject({ code: "behind" });
    await renew(g);
    await cluster.pass(2_800, async () => {
      await renew(g);
      await expect(renew(s, known)).rejects.toMatchObject({ code: "behind" });
    });
    expect(isUp(s)).toBe(true);
    await cluster.pass(100);
    await waitFor(() => !isUp(s));
    expect(isUp(g)).toBe(true);
  });

  test("are not ended by a leader that stood still itself", async () => {
    const stall = { ms: 0 };
    const time = new FakeTime();
    const clock = { now: () => time.now() + stall.ms, wall: () => 0 };
    const cluster = await ControlCluster.start(1, { clock, timers: time });
    const { control, service } = await cluster.leader();
    const g = await join(control, gateway("g"));
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 100) {
        time.advance(100);
        await cluster.pass(100);
      }
    };
    await pass(LEASE - 500);
    stall.ms = 10 * LEASE;
    await pass(LEASE);
    expect(service.view.member(g)?.name).toBe("g");
    await pass(200);
    await waitFor(() => service.view.member(g) === undefined);
  });

  test("that never end: time does nothing, a planned end does", async () => {
    const { cluster, control, isUp, view } = await start({ lease: 0 });
    const joined = await control.join(gateway("g"));
    expect(joined.lease).toBe(0);
    const s = await join(control, store("s", "disk"));
    await waitFor(() => view.place(0).owner === s);
    await cluster.pass(1_000);
    expect(cluster.time.pending).toBe(0);
    const stream = control.attend(joined.incarnation, quiet);
    stream.close();
    await cluster.pass(100 * LEASE);
    expect([isUp(joined.incarnation), isUp(s)]).toEqual([true, true]);
    await control.leave(joined.incarnation);
    await control.leave(joined.incarnation);
    expect(view.isDown(joined.incarnation)).toBe(true);
    await control.renew({ incarnation: s, acknowledged: view.version });
    await waitFor(() => !view.isDown(joined.incarnation));
  });
});

describe("a gateway's end", () => {
  test("comes half a second after its stream to the leader broke, unless another one follows", async () => {
    const { cluster, control, renew, isUp } = await start();
    const [g, other] = [await join(control, gateway("g")), await join(control, gateway("other"))];
    const alive = () => Promise.all([renew(g), renew(other)]);
    const streams = [control.attend(g, quiet), control.attend(other, quiet)];
    await cluster.pass(LEASE, alive);
    streams[0]?.close();
    await cluster.pass(400, alive);
    const again = control.attend(g, quiet);
    await cluster.pass(LEASE, alive);
    expect(isUp(g)).toBe(true);
    again.close();
    again.close();
    await cluster.pass(400, alive);
    expect(isUp(g)).toBe(true);
    await cluster.pass(100);
    await waitFor(() => !isUp(g));
    expect(isUp(other)).toBe(true);
  });

  test("a store process ends by its lease alone", async () => {
    const { cluster, control, renew, isUp } = await start();
    const s = await join(control, store("s"));
    const stream = control.attend(s, quiet);
    await cluster.pass(LEASE, () => renew(s));
    stream.close();
    await cluster.pass(LEASE - 100);
    expect(isUp(s)).toBe(true);
    await cluster.pass(100);
    await waitFor(() => !isUp(s));
  });

  test("has a second step, when every live store process has acknowledged the first or is down", async () => {
    const { cluster, control, renew, isUp, view } = await start();
    const g = await join(control, gateway("g"));
    const stores = [await join(control, store("s1")), await join(control, store("s2"))] as const;
    const before = view.version;
    await Promise.all(stores.map((s) => renew(s, before)));
    await control.leave(g);
    await cluster.pass(500);
    await renew(stores[0]);
    await cluster.pass(100);
    expect(view.isDown(g)).toBe(true);
    // The other one does not obey, so its lease is not renewed, and then it holds up nobody.
    await cluster.pass(LEASE + 1_000, async () => {
      await renew(stores[0]);
      await renew(stores[1], before).catch(() => {});
    });
    await waitFor(() => !isUp(stores[1]) && !view.isDown(g));
    expect(isUp(stores[0])).toBe(true);
  });

  test("one that joins later knows of it", async () => {
    const { control, renew, view } = await start();
    const g = await join(control, gateway("g"));
    const s = await join(control, store("s"));
    await control.leave(g);
    const later = await join(control, store("later"));
    expect(view.isDown(g)).toBe(true);
    // What it acknowledges is at least its own join.
    await renew(later, 0);
    await renew(s);
    await waitFor(() => !view.isDown(g));
  });

  test("its stream says so", async () => {
    const { control } = await start();
    const g = await join(control, gateway("g"));
    const codes: string[] = [];
    control.attend(g, { ended: ({ code }) => codes.push(code) });
    control.attend(999, { ended: ({ code }) => codes.push(`nobody: ${code}`) });
    await waitFor(() => codes.length === 1);
    await control.leave(g);
    await waitFor(() => codes.length === 2);
    expect(codes).toEqual(["nobody: ended", "ended"]);
  });
});

describe("a ban", () => {
  test("is in force when every live gateway has acknowledged it or is down", async () => {
    const { cluster, control, renew, view } = await start();
    const [g, dead] = [await join(control, gateway("g")), await join(control, gateway("dead"))];
    await join(control, store("s"));
    const version = await control.ban({ kind: "user", value: "u", reason: "r", until: 0 });
    let isInForce = false;
    const inForce = control.inForce(version).then(() => {
      isInForce = true;
    });
    await renew(g, version);
    await cluster.pass(1_000);
    expect(isInForce).toBe(false);
    await control.leave(dead);
    await inForce;
    const unchanged = await control.unban("user", "nobody");
    await renew(g);
    await control.inForce(unchanged);
    const lifted = await control.unban("user", "u");
    expect(lifted).toBeGreaterThan(version);
    const waits = control.inForce(lifted);
    await renew(g);
    await waits;
    await control.leave(g);
    // Nobody is left, but of what is not known here yet the gateways of then are not known either.
    const { version: known } = view;
    let isInForceYet = false;
    const ahead = control.inForce(known + 1).then(() => {
      isInForceYet = true;
    });
    await cluster.pass(200);
    expect(isInForceYet).toBe(false);
    await control.announce(session("n"));
    await ahead;
  });
});

describe("shards", () => {
  const owners = (view: { places(): readonly { owner: number }[] }) =>
    view.places().map(({ owner }) => owner);

  test("on disks are given out when all are there, and stay with their disk", async () => {
    const { cluster, control, renew, isUp, view } = await start({ expectedStores: 2 });
    const first = await join(control, store("s1", "d1"));
    await cluster.pass(1_000, () => renew(first));
    expect(owners(view)).toEqual([0, 0, 0, 0]);
    const second = await join(control, store("s2", "d2"));
    await waitFor(() => view.places().every(({ owner }) => owner !== 0));
    expect(owners(view)).toEqual([first, second, first, second]);
    await cluster.pass(LEASE, () => renew(second));
    await waitFor(() => !isUp(first));
    await cluster.pass(1_000, () => renew(second));
    expect(owners(view)).toEqual([0, second, 0, second]);
    const back = await join(control, store("elsewhere", "d1"));
    expect(owners(view)).toEqual([back, second, back, second]);
    // Restarted before its lease ends: the disk proves that the earlier life is over.
    const again = await join(control, store("elsewhere", "d1"));
    expect(isUp(back)).toBe(false);
    expect(view.place(0)).toEqual({ shard: 0, owner: again, epoch: 3, home: "d1" });
  });

  test("are not waited for longer than it takes", async () => {
    const { cluster, control, renew, view } = await start({
      expectedStores: 2,
      placementWait: 5_000,
    });
    const s = await join(control, store("s1", "d1"));
    await cluster.pass(4_900, () => renew(s));
    expect(owners(view)).toEqual([0, 0, 0, 0]);
    await cluster.pass(100);
    await waitFor(() => owners(view).every((owner) => owner === s));
  });

  test("of a shared backend are spread, moved one by one to who joins, and taken over from who is down", async () => {
    const { cluster, control, renew, isUp, view } = await start();
    const first = await join(control, store("s1"));
    await waitFor(() => owners(view).every((owner) => owner === first));
    const second = await join(control, store("s2"));
    await waitFor(() => owners(view).includes(second));
    const known = view.version;
    // The next one waits until all know of this one, and a second.
    const slow = () => renew(second, known - 1).catch(() => {});
    await cluster.pass(1_500, () => Promise.all([renew(first), slow()]));
    expect(owners(view)).toEqual([second, first, first, first]);
    await cluster.pass(200, () => Promise.all([renew(first), renew(second)]));
    await waitFor(() => owners(view).filter((owner) => owner === second).length === 2);
    await cluster.pass(5_000, () => Promise.all([renew(first), renew(second)]));
    expect(owners(view)).toEqual([second, second, first, first]);
    await cluster.pass(LEASE, () => renew(second));
    await waitFor(() => !isUp(first) && owners(view).every((owner) => owner === second));
    expect(view.places().map(({ epoch }) => epoch)).toEqual([2, 2, 2, 2]);
  });

  test("get a higher epoch when their owner asks, and nobody else", async () => {
    const { control, view } = await start();
    const s = await join(control, store("s", "d1"));
    await waitFor(() => view.place(0).owner === s);
    const other = await join(control, store("other", "d2"));
    expect(await control.reopen(s, 0)).toBe(2);
    expect(view.place(0)).toMatchObject({ owner: s, epoch: 2 });
    await expect(control.reopen(other, 0)).rejects.toMatchObject({ code: "refused" });
    await expect(control.reopen(9_999, 0)).rejects.toMatchObject({ code: "ended" });
  });
});

describe("a watch", () => {
  test("begins with everything, goes on with changes, and is taken up where it ended", async () => {
    const { control, view } = await start();
    await join(control, gateway("g"));
    const first = new Seen();
    const watch = control.watch(0, first);
    expect(first.view.version).toBe(0);
    await waitFor(() => first.view.version === view.version);
    await join(control, gateway("h"));
    watch.close();
    const left = first.view.version;
    await control.announce(session("n"));
    await control.announce(session("n"));
    await control.announce(session("m"));
    await control.wish({ name: "m", wish: "replace" });
    expect(first.view.version).toBe(left);
    control.watch(left, first);
    await waitFor(() => first.view.version === view.version);
    expect(first.wholes).toHaveLength(1);
    expect(first.view.whole()).toEqual({ ...view.whole() });
    expect(first.view.nodes().map(({ name, address }) => `${name} ${address}`)).toEqual([
      "a ",
      "n n:1",
    ]);
  });

  test("of somebody who knows more than this replica says nothing until it knows it too", async () => {
    const { control, view } = await start();
    const seen = new Seen();
    const ahead = view.version + 2;
    control.watch(ahead, seen);
    for (let i = 0; view.version <= ahead; i++) await join(control, gateway(`${i}`));
    await waitFor(() => seen.heard.length > 0);
    expect(seen.heard.every(({ version }) => version > ahead)).toBe(true);
  });

  test("that was away too long gets everything again, also from a replica that was started anew", async () => {
    const { cluster, control, view } = await start();
    const g = await join(control, gateway("g"));
    const seen = new Seen();
    control.watch(0, seen);
    await waitFor(() => seen.view.version === view.version);
    const [node] = cluster.nodes;
    await node?.stop();
    expect(seen.error).toMatchObject({ code: "closed" });
    cluster.nodes = [];
    const restarted = await cluster.add("a");
    await restarted.control.join(gateway("h"));
    restarted.control.watch(seen.view.version, seen);
    await waitFor(() => seen.view.version === restarted.service.view.version);
    expect(seen.view.member(g)?.name).toBe("g");
  });
});

test("what it is asked after its end is refused", async () => {
  const { cluster, control } = await start();
  await join(control, gateway("g"));
  const unforced = control.inForce(Number.MAX_SAFE_INTEGER).catch((error: unknown) => error);
  await Promise.all(cluster.nodes.map((node) => node.stop()));
  expect(await unforced).toMatchObject({ code: "closed" });
  const codes: string[] = [];
  control.attend(1, { ended: ({ code }) => codes.push(code) });
  control.attend(1, { ended: ({ code }) => codes.push(code) }).close();
  control.watch(0, Object.assign(new Seen(), { ended: () => codes.push("watch") }));
  await expect(control.join(gateway("g"))).rejects.toMatchObject({ code: "closed" });
  expect(codes).toEqual(["closed", "watch"]);
});
