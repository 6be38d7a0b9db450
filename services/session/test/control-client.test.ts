/** Gateways and store processes as packages/cluster makes them, over the real control group. */
import { describe, expect, test } from "vitest";
import { ControlCluster, LEASE } from "./control.ts";
import { ControlProcess as Process } from "./control-process.ts";

async function start() {
  const cluster = await ControlCluster.start(3);
  const leader = await cluster.leader();
  const nodes = [...cluster.others(leader), leader].map(({ name }) => name);
  const store = new Process(cluster, "store", "s", 1, nodes);
  const one = new Process(cluster, "gateway", "g1", 2, nodes);
  const two = new Process(cluster, "gateway", "g2", 3, nodes);
  for (const member of [store, one, two]) await member.start();
  return { cluster, store, one, two };
}

describe("members of a cluster", () => {
  test("live as long as they run; a gateway that dies is given up within a second", async () => {
    const { cluster, store, one, two } = await start();
    await cluster.pass(4 * LEASE);
    for (const member of [store, one, two]) {
      expect([member.isValid, member.told]).toEqual([true, []]);
    }
    const dead = two.keeper.incarnation;
    const since = cluster.time.now();
    two.die();
    await cluster.until(() => {
      const { view } = store.follower;
      return view.member(dead) === undefined && !view.isDown(dead);
    });
    expect(cluster.time.now() - since).toBeLessThanOrEqual(1_000);
    expect(one.follower.view.gateways().map(({ name }) => name)).toEqual(["g1"]);
    expect(one.told).toEqual([]);
  });

  test("see the same through a change of the leader, and of the node that they watch", async () => {
    const { cluster, store, one, two } = await start();
    const first = await cluster.leader();
    await cluster.kill(first);
    const second = await cluster.leader();
    const members = [store, one, two];
    const banned = one.client.ban({ kind: "client", value: "c", reason: "", until: 0 });
    await cluster.until(() =>
      members.every(({ follower }) => follower.view.ban("client", "c", 0) !== undefined),
    );
    let isInForce = false;
    void one.client.inForce(await banned).then(() => {
      isInForce = true;
    });
    await cluster.until(() => isInForce);
    await cluster.pass(2 * LEASE);
    for (const { follower, keeper, isValid, told } of members) {
      expect(follower.view.whole()).toEqual(second.service.view.whole());
      expect(second.service.view.member(keeper.incarnation)).toBeDefined();
      expect([isValid, told.includes("ended")]).toEqual([true, false]);
    }
  });

  test("one whose end was committed finds out, and comes back as another life", async () => {
    const { cluster, store, one, two } = await start();
    const held = two.keeper.incarnation;
    const { control } = await cluster.leader();
    await control.leave(held);
    await cluster.until(() => two.told.length > 0);
    expect([two.isValid, two.told]).toEqual([false, ["ended"]]);
    await cluster.until(() => !store.follower.view.isDown(held));
    const again = new Process(cluster, "gateway", "g2", 99);
    const incarnation = await again.start();
    expect(incarnation).toBeGreaterThan(held);
    expect(one.follower.view.member(held)).toBeUndefined();
  });

  test("that watch a node which is cut off look elsewhere, and are renewed again", async () => {
    const { cluster, one, two, store } = await start();
    const leader = await cluster.leader();
    // The one that they watch: it serves what it has.
    const cut = cluster.others(leader)[0];
    cluster.network.cutOff.add(cut?.name ?? "");
    const { version } = leader.service.view;
    await leader.control.ban({ kind: "user", value: "u", reason: "", until: 0 });
    const members = [one, two, store];
    await cluster.until(() => members.every(({ follower }) => follower.view.version > version));
    await cluster.pass(2 * LEASE);
    for (const { isValid, told, keeper } of members) {
      expect([isValid, new Set(told)]).toEqual([true, new Set(["behind"])]);
      expect(leader.service.view.member(keeper.incarnation)).toBeDefined();
    }
  });

  test("without a majority leases end where they are held; with one they come back", async () => {
    const { cluster, store, one } = await start();
    const [lost, lost2] = cluster.others(await cluster.leader());
    for (const node of [lost, lost2]) cluster.network.cutOff.add(node?.name ?? "");
    await cluster.until(() => store.told.length > 0 && one.told.length > 0);
    expect([store.isValid, one.isValid]).toEqual([false, false]);
    expect([store.told, one.told]).toEqual([["expired"], ["expired"]]);
    cluster.network.cutOff.clear();
    await cluster.until(() => store.isValid && one.isValid);
    expect([store.told, one.told]).toEqual([
      ["expired", "renewed"],
      ["expired", "renewed"],
    ]);
  });
});
