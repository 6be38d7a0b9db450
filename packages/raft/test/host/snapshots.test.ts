import { describe, expect, test } from "vitest";
import { Cluster } from "./cluster.ts";

const SMALL = { snapshotEvery: 2_000, keepTail: 500 };
const line = (i: number) => `command number ${i} of many`;

async function proposeMany(cluster: Cluster, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i += 10) {
    const leader = await cluster.elected();
    const some = Array.from({ length: 10 }, (_, k) => Buffer.from(line(i + k)));
    const answers = some.map((command, k) =>
      leader.group().propose(command, { client: 1, sequence: i + k + 1 }),
    );
    for (const answer of await cluster.answer(Promise.all(answers))) {
      expect(answer.type).toBe("committed");
    }
  }
}

const lines = (count: number) => Array.from({ length: count }, (_, i) => line(i));

describe("snapshots", () => {
  test("are taken while commands come; the log keeps its tail", async () => {
    const cluster = await Cluster.of(3, SMALL);
    await proposeMany(cluster, 0, 400);
    for (const node of cluster.nodes) {
      await cluster.until(() => node.group().status.firstIndex > 200, "the log to be compacted");
      const { firstIndex, applied } = node.group().status;
      const newest = node.storage.snapshots.newest(0)!.index;
      expect(newest).toBeLessThanOrEqual(applied);
      // 500 bytes of commands of some 30 bytes stay behind the snapshot.
      expect(newest - firstIndex).toBeGreaterThanOrEqual(10);
    }
  });

  test("come no closer to each other than the last was large", async () => {
    const cluster = await Cluster.of(1, { snapshotEvery: 2_000, keepTail: 0 });
    const { snapshots } = (await cluster.elected()).storage;
    const create = snapshots.create.bind(snapshots);
    let taken = 0;
    snapshots.create = (...args) => {
      taken++;
      return create(...args);
    };
    // 60,000 bytes of log, and the state is as large: 2, 4, 8, 16 and 32 thousand, about.
    await proposeMany(cluster, 0, 2_000);
    expect(taken).toBeGreaterThanOrEqual(4);
    expect(taken).toBeLessThanOrEqual(8);
  });

  test("with the log behind them are what a restart begins with", async () => {
    const cluster = await Cluster.of(3, SMALL);
    await proposeMany(cluster, 0, 300);
    for (const node of cluster.nodes) await node.stop();
    for (const node of cluster.nodes) await node.restart();
    expect(cluster.nodes.map((node) => node.machine().restored)).toEqual([1, 1, 1]);
    await proposeMany(cluster, 300, 350);
    await cluster.until(
      () => cluster.nodes.every((node) => node.machine().lines.length === 350),
      "all to follow",
    );
    for (const node of cluster.nodes) expect(node.machine().lines).toEqual(lines(350));
    // The table of sequences was in the snapshot.
    const again = (await cluster.elected())
      .group()
      .propose(Buffer.from("again"), { client: 1, sequence: 7 });
    expect(await cluster.answer(again)).toEqual({ type: "repeated" });
  });

  test("are what a group of one grows from: what it has applied is on its disk alone", async () => {
    const cluster = await Cluster.of(1);
    await proposeMany(cluster, 0, 100);
    const [alone] = cluster.nodes as [(typeof cluster.nodes)[number]];
    const { applied, firstIndex } = alone.group().status;
    expect(firstIndex).toBe(applied + 1);
    expect(alone.storage.snapshots.newest(0)).toBeUndefined();
    await alone.restart();
    await cluster.elected();
    expect(alone.machine().lines).toEqual(lines(100));
    const added = await cluster.add();
    await added.open(0, { replica: 2, voters: new Map() });
    const learner = { type: "addLearner", id: 2, node: added.name } as const;
    const answer = await cluster.answer(alone.group().changeMembers([learner]));
    expect(answer).toMatchObject({ type: "done", configuration: { learners: [2] } });
    await proposeMany(cluster, 100, 200);
    await cluster.until(() => added.machine().lines.length === 200, "the new one to catch up");
    expect(added.machine().lines).toEqual(lines(200));
    expect(added.machine().restored).toBe(1);
    // Somebody may need them now.
    const { firstIndex: kept, applied: all } = alone.group().status;
    expect(all - kept).toBeGreaterThanOrEqual(100);
  });

  test("go to a follower that was away for longer than the log reaches", async () => {
    const cluster = await Cluster.of(3, SMALL);
    await proposeMany(cluster, 0, 10);
    const away = cluster.followers[0]!;
    cluster.network.isolate(away.name);
    await proposeMany(cluster, 10, 400);
    cluster.network.heal();
    await cluster.until(() => away.machine().lines.length === 400, "it to catch up");
    expect(away.machine().lines).toEqual(lines(400));
    expect(away.machine().restored).toBe(1);
    await proposeMany(cluster, 400, 420);
    await cluster.until(() => away.machine().lines.length === 420, "it to follow");
    await away.restart();
    await cluster.until(() => away.machine().lines.length === 420, "it to follow again");
    expect(away.machine().lines).toEqual(lines(420));
  });

  test("that break off go on where they were", async () => {
    const cluster = await Cluster.of(3, { snapshotEvery: 1 << 20, keepTail: 0 });
    const leader = await cluster.elected();
    const away = cluster.followers[0]!;
    cluster.network.isolate(away.name);
    const large = "x".repeat(50_000);
    for (let i = 0; i < 60; i++) await cluster.propose(`${i} ${large}`, leader);
    await cluster.until(() => leader.group().status.firstIndex > 20, "the log to be compacted");
    const positions: number[] = [];
    cluster.network.beforePart = (_, position) => {
      positions.push(position);
      if (positions.length % 2 === 0) throw new Error("broken off");
    };
    cluster.network.heal();
    await cluster.until(() => away.machine().lines.length === 60, "it to catch up");
    const first = positions.indexOf(0);
    expect(positions.slice(first).filter((position) => position === 0)).toHaveLength(1);
    expect(positions.length).toBeGreaterThan(4);
  });

  test("are not taken of what a damaged state machine holds: the group stops, the process goes on", async () => {
    const cluster = await Cluster.of(3);
    await cluster.open(1);
    const leader = await cluster.elected();
    for (const node of cluster.nodes) node.machine().poison = "bad";
    const answer = leader.group().propose(Buffer.from("bad"));
    expect((await cluster.answer(answer)).type).toMatch(/indeterminate|unavailable/);
    expect(await leader.group().propose(Buffer.from("more"))).toMatchObject({
      type: "unavailable",
      message: expect.stringContaining(`can't read "bad"`),
    });
    expect(leader.errors.join()).toContain("the group stops here");
    const other = await cluster.until(
      () => cluster.nodes.find((node) => node.group(1).status.role === "leader"),
      "the other group to have a leader",
    );
    expect(await cluster.answer(other.group(1).propose(Buffer.from("fine")))).toMatchObject({
      type: "committed",
    });
  });
});
