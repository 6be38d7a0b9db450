import { describe, expect, test } from "vitest";
import { Cluster, type TestNode } from "./cluster.ts";

const asleep = (cluster: Cluster, group = 0) =>
  cluster.nodes.filter((node) => node.running && node.group(group).status.asleep).length;

async function sleeping(): Promise<Cluster> {
  const cluster = await Cluster.of(3);
  await cluster.elected();
  await cluster.propose("a");
  await cluster.until(() => asleep(cluster) === 3, "all to sleep");
  return cluster;
}

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

  test("wakes for a proposal at a follower, which is not taken there", async () => {
    const cluster = await sleeping();
    const follower = cluster.followers[0]!;
    expect(await follower.group().propose(Buffer.from("b"))).toMatchObject({ type: "notLeader" });
    expect(follower.group().status.asleep).toBe(false);
  });

  test("goes on with the same leader when a message that comes late wakes a follower", async () => {
    const cluster = await sleeping();
    const leader = cluster.leader!;
    const [late, other] = cluster.followers as [TestNode, TestNode];
    const { term, replica: from } = other.group().status;
    const { replica: to } = late.group().status;
    const answer = { type: "voteAnswer", granted: true, commit: 0, commitTerm: 0 } as const;
    const message = { ...answer, from, to, term: term - 1 };
    const batch = { from: other.name, disk: other.storage.disk, beats: [], hellos: [] };
    const campaigns: string[] = [];
    cluster.network.drops = ({ envelopes }) => {
      campaigns.push(
        ...envelopes.map((each) => each.message.type).filter((type) => /ote/.test(type)),
      );
      return false;
    };
    const envelopes = [{ group: 0, message }];
    cluster.network.transport(other.name).send(late.name, { ...batch, envelopes });
    await cluster.until(() => !late.group().status.asleep, "it to wake");
    await cluster.until(() => !leader.group().status.asleep, "the leader to hear of it");
    await cluster.until(() => asleep(cluster) === 3, "all to sleep again");
    // Only what was sent here: without hearing from its leader the follower would have campaigned.
    expect(campaigns).toEqual(["voteAnswer"]);
    expect(leader.group().status).toMatchObject({ role: "leader", term });
  });

  test("elects another leader when the old one closes it and its node lives on", async () => {
    const cluster = await sleeping();
    const leader = cluster.leader!;
    await leader.host.close(0);
    expect(leader.heard.ended).toEqual(["the group was closed"]);
    const others = cluster.nodes.filter((node) => node !== leader);
    const next = await cluster.until(() => others.find((node) => node.leads), "another leader");
    expect(await cluster.propose("b", next)).toMatchObject({ type: "committed" });
  });

  test("elects another leader also when the first words of that are lost", async () => {
    const cluster = await sleeping();
    const leader = cluster.leader!;
    let lost = 0;
    cluster.network.drops = ({ from, hellos }) => {
      const isLost = from === leader.name && hellos.length > 0 && lost < 8;
      if (isLost) lost++;
      return isLost;
    };
    await leader.host.close(0);
    const others = cluster.nodes.filter((node) => node !== leader);
    await cluster.until(() => others.find((node) => node.leads), "another leader");
    expect(lost).toBe(8);
  });

  test("wakes where its leader's node says that it does not run it", async () => {
    const cluster = await sleeping();
    const { leader } = cluster;
    const [follower, other] = cluster.followers as [TestNode, TestNode];
    const say = (from: TestNode, group: number) => {
      const batch = { from: from.name, disk: from.storage.disk, envelopes: [], beats: [] };
      const hellos = [{ type: "absent", group } as const];
      cluster.network.transport(from.name).send(follower.name, { ...batch, hellos });
    };
    // It counts neither on the other follower nor on another group.
    say(other, 0);
    say(leader!, 1);
    await cluster.ticks(5);
    expect(asleep(cluster)).toBe(3);
    say(leader!, 0);
    await cluster.until(() => !follower.group().status.asleep, "it to wake");
  });

  test("elects another leader when the old one's node was away too shortly to be missed", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    const others = cluster.followers;
    // Each of them leads a group in which it hears from the old leader's node, asleep or not.
    for (const [i, node] of others.entries()) {
      const group = i + 1;
      await cluster.open(group);
      const leads = () => node.group(group).status.role === "leader";
      const to = node.group(group).status.replica;
      const transfer = () =>
        cluster.nodes.map((one) =>
          one
            .group(group)
            .transferLeadership(to)
            .catch(() => {}),
        );
      await cluster.until(() => leads() || (transfer(), false), "it to lead");
    }
    await cluster.until(() => [0, 1, 2].every((group) => asleep(cluster, group) === 3), "sleep");
    cluster.network.isSilent = true;
    // It comes back at once, and its word counts for all, but it does not run this group.
    await leader.stop();
    await leader.start();
    leader.groups.delete(0);
    await Promise.all([leader.open(1), leader.open(2)]);
    expect(others.map((node) => node.group().status.asleep)).toEqual([true, true]);
    const next = await cluster.until(() => others.find((node) => node.leads), "another leader");
    expect(await cluster.propose("a", next)).toMatchObject({ type: "committed" });
  });

  test("wakes by the answer of a host that does not run it", async () => {
    const cluster = await sleeping();
    const [to, from] = cluster.nodes as [TestNode, TestNode];
    const told: string[] = [];
    cluster.network.drops = (batch, node) => {
      for (const hello of batch.hellos) told.push(`${batch.from} to ${node}: ${hello.type}`);
      return false;
    };
    const beat = { kind: 4, group: 9, from: 2, to: 1, term: 2, commit: 0, context: 0 } as const;
    const batch = { from: from.name, disk: from.storage.disk, envelopes: [], hellos: [] };
    cluster.network.transport(from.name).send(to.name, { ...batch, beats: [beat] });
    await cluster.ticks(10);
    expect(told).toEqual([`${to.name} to ${from.name}: absent`]);
  });

  test("of one voter sleeps too", async () => {
    const cluster = await Cluster.of(1);
    await cluster.elected();
    await cluster.until(() => asleep(cluster) === 1, "it to sleep");
    expect(await cluster.propose("a")).toMatchObject({ type: "committed" });
  });
});
