import { describe, expect, test } from "vitest";
import type { RequestedChange } from "../../src/host/port.ts";
import { Cluster, type TestNode } from "./cluster.ts";

const NEW: { replica: number; voters: ReadonlyMap<number, string> } = {
  replica: 4,
  voters: new Map(),
};

async function change(cluster: Cluster, ...changes: RequestedChange[]) {
  const leader = await cluster.elected();
  return cluster.answer(leader.group().changeMembers(changes));
}

async function withLearner(cluster: Cluster): Promise<TestNode> {
  const node = await cluster.add();
  await node.open(0, NEW);
  const added = await change(cluster, { type: "addLearner", id: 4, node: node.name });
  expect(added).toMatchObject({ type: "done", configuration: { learners: [4] } });
  return node;
}

describe("members", () => {
  test("a learner gets a snapshot and the log, becomes a voter, and takes the place of another", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    for (let i = 0; i < 20; i++) await cluster.propose(`p${i}`);
    const node = await withLearner(cluster);
    await cluster.until(() => node.machine().lines.length === 20, "the learner to catch up");
    expect(node.machine().restored).toBe(1);
    expect(node.group().status.configuration.voters).toEqual([1, 2, 3]);
    expect(await change(cluster, { type: "promote", id: 4 })).toMatchObject({ type: "done" });
    const old = cluster.followers.find((other) => other !== node)!;
    const id = old.group().status.replica;
    const removed = await change(cluster, { type: "remove", id });
    expect(removed).toMatchObject({ type: "done", configuration: { learners: [] } });
    await cluster.until(() => old.storage.groups.size === 0, "the removed one to stop");
    expect(await old.group().propose(Buffer.from("x"))).toMatchObject({ type: "unavailable" });
    expect(await cluster.propose("after")).toMatchObject({ type: "committed" });
    await cluster.until(() => node.machine().lines.at(-1) === "after", "the new one to follow");
    const answered = await change(cluster, { type: "addVoter", id, node: old.name });
    expect(answered).toMatchObject({ type: "refused" });
  });

  test("several changes at once go through a joint configuration, and end when it is left", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    await cluster.propose("a");
    const node = await withLearner(cluster);
    const old = cluster.followers.find((other) => other !== node)!;
    const id = old.group().status.replica;
    const swapped = await change(cluster, { type: "promote", id: 4 }, { type: "remove", id });
    expect(swapped).toMatchObject({ type: "done", configuration: { outgoing: [] } });
    const voters = swapped.type === "done" ? swapped.configuration.voters : [];
    expect(new Set(voters)).toEqual(new Set([1, 2, 3, 4].filter((one) => one !== id)));
  });

  test("a leader that removes itself tells the others before it stops", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    const id = leader.group().status.replica;
    expect(await change(cluster, { type: "remove", id })).toMatchObject({ type: "done" });
    await cluster.until(() => leader.storage.groups.size === 0, "it to stop");
    const others = cluster.nodes.filter((node) => node !== leader);
    await cluster.until(() => others.some((node) => node.leads), "another leader");
    for (const node of others) expect(node.group().status.configuration.voters).not.toContain(id);
  });

  test("one that was removed while it was away is told when it asks for votes", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    const away = cluster.followers[0]!;
    const id = away.group().status.replica;
    cluster.network.isolate(away.name);
    expect(await change(cluster, { type: "remove", id })).toMatchObject({ type: "done" });
    cluster.network.heal();
    await cluster.until(() => away.storage.groups.size === 0, "it to be told");
    expect(await away.group().read()).toMatchObject({ type: "unavailable" });
  });

  test("one change at a time; what can't be is refused with its reason", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    await cluster.add();
    const first = leader.group().changeMembers([{ type: "addLearner", id: 4, node: "n4" }]);
    const second = await leader.group().changeMembers([{ type: "addLearner", id: 5, node: "n5" }]);
    expect(second).toMatchObject({
      type: "refused",
      message: expect.stringContaining("under way"),
    });
    expect(await cluster.answer(first)).toMatchObject({ type: "done" });
    const follower = cluster.followers[0]!;
    const there = await follower.group().changeMembers([{ type: "remove", id: 4 }]);
    expect(there).toMatchObject({ type: "notLeader", node: leader.name });
  });

  test("a member is not added while its node can't be reached", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    const node = await cluster.add();
    await node.open(0, NEW);
    cluster.network.isolate(node.name);
    const add = { type: "addVoter", id: 4, node: node.name } as const;
    const refused = await change(cluster, add, { type: "remove", id: 1 });
    expect(refused).toEqual({
      type: "refused",
      message: "node n4 can't be reached; it has to run before it is added",
    });
    const leader = await cluster.elected();
    expect(leader.group().status.configuration.voters).toEqual([1, 2, 3]);
    cluster.network.heal();
    expect(await change(cluster, add)).toMatchObject({ type: "done" });
    const { disk } = node.storage;
    const { nodes } = leader.group().status.configuration;
    expect(nodes.get(4)).toEqual({ name: "n4", disk });
  });
});
