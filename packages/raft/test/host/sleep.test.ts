import { describe, expect, test } from "vitest";
import { Cluster } from "./cluster.ts";

const asleep = (cluster: Cluster, group = 0) =>
  cluster.nodes.filter((node) => node.running && node.group(group).status.asleep).length;

describe("a group with nothing to do", () => {
  test("sleeps, and a proposal wakes it", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    await cluster.propose("a");
    await cluster.until(() => asleep(cluster) === 3, "all to sleep");
    const before = cluster.network.beats;
    const terms = cluster.nodes.map((node) => node.group().status.term);
    await cluster.ticks(500);
    // Nodes say that they live; groups say nothing.
    expect(cluster.network.beats).toBe(before);
    expect(asleep(cluster)).toBe(3);
    expect(cluster.nodes.map((node) => node.group().status.term)).toEqual(terms);
    expect(await cluster.propose("b")).toMatchObject({ type: "committed", result: 2 });
    expect(asleep(cluster)).toBe(0);
    await cluster.until(() => asleep(cluster) === 3, "all to sleep again");
  });

  test("wakes for a follower's read", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    await cluster.propose("a");
    await cluster.until(() => asleep(cluster) === 3, "all to sleep");
    const read = cluster.followers[0]!.group().read();
    expect(await cluster.answer(read)).toMatchObject({ type: "ready" });
  });

  test("wakes when its leader's node is gone, and elects another", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    await cluster.propose("a");
    await cluster.until(() => asleep(cluster) === 3, "all to sleep");
    cluster.network.forget(leader.name);
    const others = cluster.nodes.filter((node) => node !== leader);
    await cluster.until(() => others.some((node) => node.leads), "another leader");
    // By node, its quorum is gone too.
    await cluster.until(() => !leader.leads, "the old one to step down");
    expect(asleep(cluster)).toBe(0);
  });

  test("shares the word that a node lives with all others", async () => {
    const cluster = await Cluster.of(3);
    for (let group = 1; group < 40; group++) await cluster.open(group);
    const all = Array.from({ length: 40 }, (_, group) => group);
    await cluster.until(() => all.every((group) => asleep(cluster, group) === 3), "all to sleep");
    const { batches, envelopes, beats } = cluster.network;
    await cluster.ticks(100);
    // Between three nodes there are six ways, and a beat each second tick.
    expect(cluster.network.batches - batches).toBeLessThanOrEqual(6 * 50);
    expect(cluster.network.batches - batches).toBeGreaterThanOrEqual(6 * 49);
    expect(cluster.network.envelopes).toBe(envelopes);
    expect(cluster.network.beats).toBe(beats);
  });

  test("does not sleep while a member does not answer", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    cluster.network.isolate(cluster.followers[0]!.name);
    await cluster.propose("a");
    await cluster.ticks(200);
    expect(leader.group().status.asleep).toBe(false);
    expect(leader.leads).toBe(true);
    cluster.network.heal();
    await cluster.until(() => asleep(cluster) === 3, "all to sleep");
  });

  test("wakes for a member that comes back", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    await cluster.propose("a");
    await cluster.until(() => asleep(cluster) === 3, "all to sleep");
    const back = cluster.followers[0]!;
    await back.restart();
    await cluster.until(() => back.machine().lines.length === 1, "it to follow");
    expect(back.group().status.leader).toBe(cluster.leader?.group().status.replica);
    await cluster.until(() => asleep(cluster) === 3, "all to sleep again");
  });

  test("of one voter sleeps too", async () => {
    const cluster = await Cluster.of(1);
    await cluster.elected();
    await cluster.until(() => asleep(cluster) === 1, "it to sleep");
    expect(await cluster.propose("a")).toMatchObject({ type: "committed" });
  });
});
