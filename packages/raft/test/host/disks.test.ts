/** A replica that lost its disk has forgotten what it promised: whoever counted it could lose everything. */
import { describe, expect, test } from "vitest";
import type { RaftGroup } from "../../src/host/port.ts";
import { Cluster, type TestNode } from "./cluster.ts";
import { MemoryDisk } from "./memory-disk.ts";

function votersOf(cluster: Cluster, first = 1): Map<number, string> {
  return new Map(cluster.nodes.map((node, i) => [i + first, node.name]));
}

/** The node comes back with an empty folder, and is told what it was told the first time. */
async function wipe(cluster: Cluster, node: TestNode): Promise<void> {
  await node.stop();
  node.disk = new MemoryDisk();
  node.groups.clear();
  await node.start();
  void begin(cluster, node);
}

function begin(cluster: Cluster, node: TestNode, first = 1): Promise<RaftGroup> {
  const voters = votersOf(cluster, first);
  const replica = [...voters].find(([, name]) => name === node.name)![0];
  const opened = node.open(0, { replica, voters });
  opened.catch(() => {});
  return opened;
}

async function unopened(size: number): Promise<Cluster> {
  const cluster = new Cluster();
  for (let i = 0; i < size; i++) await cluster.add();
  return cluster;
}

const complaintsOf = (node: TestNode): string => (node.host.founding(0)?.complaints ?? []).join();

describe("a replica that lost its disk", () => {
  test("is ignored under its old id, and welcome under a new one", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    await cluster.propose("a");
    const lost = cluster.followers[0]!;
    const id = lost.group().status.replica;
    await wipe(cluster, lost);
    const others = cluster.nodes.filter((node) => node !== lost);
    const seen = () => others.some((node) => node.group().status.impostors.includes(id));
    await cluster.until(seen, "it to be noticed");
    expect(others.flatMap((node) => node.errors).join()).toContain("under a new id");
    await cluster.until(
      () => complaintsOf(lost).includes("by another disk"),
      "it to notice itself",
    );
    expect(lost.errors.join()).toContain("under a new id");
    expect(await cluster.propose("b")).toMatchObject({ type: "committed" });
    const leader = await cluster.elected();
    await cluster.answer(leader.group().changeMembers([{ type: "remove", id }]));
    expect(leader.group().status.impostors).toEqual([]);
    await cluster.answer(lost.host.close(0));
    await lost.open(0, { replica: 4, voters: new Map() });
    const added = leader.group().changeMembers([{ type: "addVoter", id: 4, node: lost.name }]);
    expect(await cluster.answer(added)).toMatchObject({ type: "done" });
    await cluster.until(() => lost.machine().lines.length === 2, "it to catch up");
  });

  test("stops by itself when it was added later, and a leader speaks to it", async () => {
    const cluster = await Cluster.of(3);
    const node = await cluster.add();
    await node.open(0, { replica: 4, voters: new Map() });
    const leader = await cluster.elected();
    const added = leader.group().changeMembers([{ type: "addVoter", id: 4, node: node.name }]);
    expect(await cluster.answer(added)).toMatchObject({ type: "done" });
    await cluster.propose("a");
    await cluster.until(() => node.machine().lines.length === 1, "it to catch up");
    await node.stop();
    node.disk = new MemoryDisk();
    await node.start();
    await node.open(0, { replica: 4, voters: new Map() });
    await cluster.until(() => node.errors.length > 0, "it to stop");
    expect(node.errors.join()).toContain("under a new id");
    expect(await node.group().read()).toMatchObject({ type: "unavailable" });
  });

  test("a wiped disk that a member never met can't vote", async () => {
    const cluster = await unopened(3);
    const [a, b, c] = cluster.nodes as [TestNode, TestNode, TestNode];
    // Of A, C hears nothing but that it is one of the first members.
    const ends = [a.name, c.name];
    cluster.network.drops = (batch, to) =>
      ends.includes(batch.from) && ends.includes(to) && batch.hellos.length === 0;
    await cluster.open(0);
    const first = await cluster.elected();
    await cluster.answer(first.group().transferLeadership(2));
    await cluster.until(() => b.leads && cluster.leader === b, "B to lead");
    cluster.network.isolate(c.name);
    expect(await cluster.propose("kept", b)).toMatchObject({ type: "committed" });
    await b.stop();
    await c.restart();
    await wipe(cluster, a);
    cluster.network.drops = () => false;
    cluster.network.heal();
    await cluster.ticks(500);
    expect(cluster.leader).toBeUndefined();
    expect(c.group().status.impostors).toEqual([1]);
    await b.restart();
    await cluster.until(() => c.machine().lines.includes("kept"), "C to get what was committed");
  });

  // It has no configuration yet, so it can't know: who counts its vote has to.
  test("a voter that was added later can't vote with a wiped disk either", async () => {
    const cluster = await Cluster.of(3);
    const added = await cluster.add();
    await added.open(0, { replica: 4, voters: new Map() });
    const leader = await cluster.elected();
    const [behind, gone] = cluster.followers.filter((node) => node !== added) as [
      TestNode,
      TestNode,
    ];
    const changed = leader.group().changeMembers([
      { type: "addVoter", id: 4, node: added.name },
      { type: "remove", id: gone.group().status.replica },
    ]);
    expect(await cluster.answer(changed)).toMatchObject({ type: "done" });
    await cluster.until(() => gone.storage.groups.size === 0, "the removed one to go");
    const { configuration } = leader.group().status;
    const isThere = () => behind.group().status.applied === leader.group().status.applied;
    await cluster.until(isThere, "all to know the change");
    expect([...configuration.voters, ...configuration.outgoing].length).toBe(3);
    cluster.network.isolate(behind.name);
    expect(await cluster.propose("kept", leader)).toMatchObject({ type: "committed" });
    await leader.stop();
    await added.stop();
    added.disk = new MemoryDisk();
    await added.start();
    await added.open(0, { replica: 4, voters: new Map() });
    cluster.network.heal();
    await cluster.ticks(500);
    expect(behind.heard.leaders).not.toContain(behind.group().status.replica);
    expect(behind.group().status.impostors).toEqual([4]);
    await leader.restart();
    const caughtUp = () => behind.machine().lines.includes("kept");
    await cluster.until(caughtUp, "who was behind to get what was committed");
  });

  test("given up, it is not created again under the same id", async () => {
    const cluster = await Cluster.of(1);
    const [node] = cluster.nodes as [TestNode];
    await node.host.close(0);
    await node.storage.remove(0);
    await node.restart().catch(() => {});
    const voters = new Map([[1, node.name]]);
    await expect(
      node.host.open({ group: 0, machine: node.machine(), bootstrap: { replica: 1, voters } }),
    ).rejects.toThrow("was removed here");
  });
});

describe("the first members", () => {
  test("first members wait until all know each other's disks", async () => {
    const cluster = await unopened(3);
    const [a, b, c] = cluster.nodes as [TestNode, TestNode, TestNode];
    cluster.network.isolate(c.name);
    const opened = cluster.nodes.map((node) => begin(cluster, node));
    await cluster.ticks(300);
    expect(cluster.nodes.map((node) => node.groups.size)).toEqual([0, 0, 0]);
    expect(a.host.founding(0)).toEqual({ waitsFor: ["n2", "n3"], complaints: [] });
    // What they know of each other stays.
    await a.stop();
    await a.start();
    const again = begin(cluster, a);
    expect([...a.storage.foundings.get(0)!.members.keys()]).toEqual([1, 2]);
    // C hears them, and is not heard: it can't know that they know it.
    cluster.network.heal();
    cluster.network.drops = (batch) => batch.from === c.name;
    await cluster.until(() => c.storage.foundings.get(0)!.members.size === 3, "C to know all");
    await cluster.ticks(100);
    expect(cluster.nodes.map((node) => node.groups.size)).toEqual([0, 0, 0]);
    cluster.network.drops = () => false;
    const groups = await cluster.answer(Promise.all([again, opened[1]!, opened[2]!]));
    const disks = cluster.nodes.map((node) => node.storage.disk);
    for (const { status } of groups) {
      expect([...status.configuration.nodes.values()].map(({ disk }) => disk)).toEqual(disks);
    }
    expect(b.host.founding(0)).toBeUndefined();
    expect(await cluster.propose("x")).toMatchObject({ type: "committed" });
  });

  test("one that was away when the others began gets it from them", async () => {
    const cluster = await unopened(3);
    const c = cluster.nodes[2]!;
    // It tells that it knows all, and hears nobody say so.
    cluster.network.drops = (batch, to) =>
      to === c.name && batch.hellos.some((hello) => "members" in hello && hello.members.size === 3);
    const opened = cluster.nodes.map((node) => begin(cluster, node));
    await cluster.answer(Promise.all(opened.slice(0, 2)));
    expect(await cluster.propose("a")).toMatchObject({ type: "committed" });
    expect(c.groups.size).toBe(0);
    cluster.network.drops = () => false;
    await cluster.answer(opened[2]!);
    await cluster.until(() => c.machine().lines.length === 1, "it to follow");
    expect(cluster.nodes.flatMap((node) => node.errors)).toEqual([]);
  });

  test("a node wiped during the bootstrap", async () => {
    const cluster = await unopened(3);
    const [a, b, c] = cluster.nodes as [TestNode, TestNode, TestNode];
    cluster.network.isolate(c.name);
    const first = [begin(cluster, a), begin(cluster, b)];
    await cluster.until(() => a.storage.foundings.get(0)?.members.size === 2, "A to know B");
    await wipe(cluster, b);
    cluster.network.heal();
    const last = begin(cluster, c);
    await cluster.until(() => complaintsOf(b).includes("n1 knows replica 2"), "B to be told");
    await cluster.until(() => complaintsOf(a).includes("another disk than before"), "A to say so");
    await cluster.ticks(300);
    expect(cluster.nodes.map((node) => node.groups.size)).toEqual([0, 0, 0]);
    expect(a.errors.join()).toContain("start all first voters again under new, higher ids");
    // As that says.
    const old = Promise.allSettled([...first, last]);
    for (const node of cluster.nodes) await cluster.answer(node.host.close(0));
    expect((await old).map(({ status }) => status)).toContain("rejected");
    const opened = cluster.nodes.map((node) => begin(cluster, node, 4));
    await cluster.answer(Promise.all(opened));
    expect(await cluster.propose("x")).toMatchObject({ type: "committed" });
  });

  test("a node that was wiped when the others had begun stays out, and says what to do", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    const lost = cluster.followers[0]!;
    const id = lost.group().status.replica;
    await wipe(cluster, lost);
    await cluster.until(() => complaintsOf(lost) !== "", "it to be told");
    expect(complaintsOf(lost)).toContain(`the group runs, and knows replica ${id} by another disk`);
    expect(lost.groups.size).toBe(0);
    await cluster.until(() => leader.group().status.impostors.length > 0, "the leader to see it");
  });

  test("closed while its disk hangs, it is another replica's place when the write has ended", async () => {
    const cluster = await unopened(2);
    const [a] = cluster.nodes as [TestNode, TestNode];
    const hang = Promise.withResolvers<void>();
    a.disk.hang = hang.promise;
    const opened = begin(cluster, a);
    let isClosed: boolean | undefined;
    const closed = a.host.close(0).then((answer) => {
      isClosed = answer;
    });
    await expect(opened).rejects.toMatchObject({ code: "closed", message: "the group was closed" });
    await cluster.ticks(29);
    expect(isClosed).toBeUndefined();
    await cluster.answer(closed);
    // It is over for who waits, and not for the disk: another is not opened beside it.
    expect(isClosed).toBe(false);
    const early = a.open(0, { replica: 3, voters: new Map() });
    await expect(cluster.answer(early)).rejects.toMatchObject({
      code: "disk",
      message: "group 0 waits in vain for the disk: it has done nothing for 300 ms",
    });
    expect(a.storage.foundings.size).toBe(0);
    a.disk.hang = undefined;
    hang.resolve();
    expect(await cluster.answer(a.host.close(0))).toBe(true);
    const next = await cluster.answer(a.open(0, { replica: 3, voters: new Map() }));
    expect(next.status.replica).toBe(3);
    expect(a.storage.foundings.size).toBe(0);
  });

  test("other voters than before are refused", async () => {
    const cluster = await unopened(2);
    const [a] = cluster.nodes as [TestNode, TestNode];
    void begin(cluster, a);
    await cluster.until(() => a.storage.foundings.size > 0, "it to begin");
    await cluster.answer(a.host.close(0));
    const opened = a.open(0, {
      replica: 2,
      voters: new Map([
        [1, "n2"],
        [2, "n1"],
      ]),
    });
    await expect(opened).rejects.toThrow("the first voters stay as they were");
    await expect(a.open(0, { replica: 3, voters: new Map([[3, "n2"]]) })).rejects.toThrow(
      "is not among the first voters",
    );
  });
});
