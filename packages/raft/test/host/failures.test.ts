import { describe, expect, test } from "vitest";
import { Cluster, hang } from "./cluster.ts";

const full = () => Object.assign(new Error("no space left on device"), { code: "ENOSPC" });

describe("a disk that fails", () => {
  test("makes a single voter refuse; what waits is indeterminate in the end; then it goes on", async () => {
    const cluster = await Cluster.of(1);
    const node = await cluster.elected();
    await cluster.propose("a");
    node.disk.failure = full();
    const waiting = node.group().propose(Buffer.from("b"));
    await cluster.until(() => node.storage.failing !== undefined, "the failure to show");
    expect(await node.group().propose(Buffer.from("c"))).toMatchObject({
      type: "unavailable",
      message: expect.stringContaining("no space left"),
    });
    expect(await cluster.answer(waiting)).toEqual({ type: "indeterminate" });
    node.disk.failure = undefined;
    await cluster.until(() => node.storage.failing === undefined, "the disk to work again");
    expect(await cluster.propose("d")).toMatchObject({ type: "committed" });
    // It was taken, and so it came after all.
    expect(node.machine().lines).toEqual(["a", "b", "d"]);
  });

  test("makes a leader hand over to one whose disk works", async () => {
    const cluster = await Cluster.of(3);
    const old = await cluster.elected();
    await cluster.propose("a");
    old.disk.failure = full();
    const waiting = old.group().propose(Buffer.from("b"));
    await cluster.until(() => old.storage.failing !== undefined, "the failure to show");
    const next = await cluster.until(
      () => cluster.nodes.find((node) => node !== old && node.leads),
      "another leader",
    );
    expect(await cluster.answer(waiting)).toEqual({ type: "indeterminate" });
    expect(await cluster.propose("c", next)).toMatchObject({ type: "committed" });
    old.disk.failure = undefined;
    await cluster.until(() => old.machine().lines.at(-1) === "c", "the old one to follow");
    expect(old.machine().lines).toEqual(["a", "b", "c"]);
  });
});

describe("a disk that hangs", () => {
  async function hung(size: number) {
    const cluster = await Cluster.of(size);
    const node = await cluster.elected();
    await cluster.propose("a");
    const end = hang(node);
    const waiting = node.group().propose(Buffer.from("b"));
    return { cluster, node, waiting, end };
  }

  test("is like one that fails: nobody waits for ever, and it goes on when the write ends", async () => {
    const { cluster, node, waiting, end } = await hung(1);
    expect(await cluster.answer(waiting)).toEqual({ type: "indeterminate" });
    expect(node.storage.failing).toBeUndefined();
    expect(await node.group().propose(Buffer.from("c"))).toMatchObject({
      type: "unavailable",
      message: expect.stringMatching(/a write has been under way for \d+ ms/),
    });
    expect(node.errors.join()).toContain("the disk hangs");
    end();
    await cluster.until(() => node.machine().lines.length === 2, "the write to end");
    expect(await cluster.propose("d")).toMatchObject({ type: "committed" });
    expect(node.machine().lines).toEqual(["a", "b", "d"]);
  });

  test("is given three election timeouts", async () => {
    const { cluster, node, waiting, end } = await hung(1);
    let isAnswered = false;
    void waiting.then(() => {
      isAnswered = true;
    });
    await cluster.ticks(29);
    expect(isAnswered).toBe(false);
    await cluster.ticks(2);
    expect(isAnswered).toBe(true);
    expect(node.errors).toHaveLength(1);
    end();
  });

  test("makes a leader hand over, and follow again when the write ends", async () => {
    const { cluster, node: old, waiting, end } = await hung(3);
    const next = await cluster.until(
      () => cluster.nodes.find((node) => node !== old && node.leads),
      "another leader",
    );
    expect(await cluster.answer(waiting)).toEqual({ type: "indeterminate" });
    expect(await cluster.propose("c", next)).toMatchObject({ type: "committed" });
    end();
    await cluster.until(() => old.machine().lines.at(-1) === "c", "the old one to follow");
    expect(old.machine().lines).toEqual(["a", "b", "c"]);
  });

  test("keeps the host from stopping no longer than that", async () => {
    const cluster = await Cluster.of(1, { snapshotEvery: 100 });
    const node = await cluster.elected();
    const { snapshots } = node.storage;
    const create = snapshots.create.bind(snapshots);
    let end: (() => void) | undefined;
    snapshots.create = (...args) => {
      end = hang(node);
      return create(...args);
    };
    await cluster.propose("x".repeat(200));
    await cluster.until(() => end, "a snapshot to be begun");
    let isStopped = false;
    const stopping = node.host.stop().then(() => {
      isStopped = true;
    });
    await cluster.ticks(29);
    expect(isStopped).toBe(false);
    await cluster.answer(stopping);
    expect(isStopped).toBe(true);
    expect(node.errors.join()).toContain("does not end");
    end?.();
  });

  test("keeps the storage from stopping for ten seconds, which then says so", async () => {
    const { cluster, node, waiting, end } = await hung(1);
    await cluster.answer(waiting);
    await node.host.stop();
    const stopping = node.storage.stop().catch(String);
    expect(await cluster.answer(stopping)).toContain("has not ended after 10000 ms");
    end();
  });
});

describe("stop()", () => {
  test("answers everything that waits", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    await cluster.propose("a");
    cluster.network.isolate(leader.name);
    const group = leader.group();
    const taken = group.propose(Buffer.from("b"));
    const change = group.changeMembers([{ type: "demote", id: group.status.replica }]);
    const read = group.read();
    await cluster.turns(3);
    const queued = group.propose(Buffer.from("c"));
    await leader.stop();
    expect(await taken).toEqual({ type: "indeterminate" });
    expect(await change).toEqual({ type: "indeterminate" });
    expect(await read).toMatchObject({ type: "unavailable" });
    expect(await queued).toMatchObject({ type: "unavailable" });
    expect(await group.propose(Buffer.from("d"))).toMatchObject({ type: "unavailable" });
    await expect(leader.host.open({ group: 5, machine: leader.machine() })).rejects.toThrow(
      "stopped",
    );
  });

  test("leaves no timer behind", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    await cluster.propose("a");
    for (const node of cluster.nodes) await node.stop();
    expect(cluster.time.pending).toBe(0);
  });

  test("of one group leaves the others alone", async () => {
    const cluster = await Cluster.of(1);
    await cluster.open(1);
    const node = await cluster.elected();
    await node.host.close(0);
    expect(await node.group(0).read()).toMatchObject({ type: "unavailable" });
    expect(await cluster.answer(node.group(1).propose(Buffer.from("x")))).toMatchObject({
      type: "committed",
    });
    // It is still on the disk.
    await node.restart();
    expect(await cluster.propose("y")).toMatchObject({ type: "committed" });
  });
});
