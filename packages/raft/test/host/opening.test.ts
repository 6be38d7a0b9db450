/** Groups are opened while the disk hangs, and while an earlier replica is given up. */
import { testScope } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { Cluster, hang, type TestNode } from "./cluster.ts";

const ALONE = { replica: 1, voters: new Map([[1, "n1"]]) };
const NEW = { replica: 4, voters: new Map<number, string>() };

/** What a promise came to, as far as it is known. */
function watch(promise: Promise<unknown>): { outcome: string | undefined } {
  const watched: { outcome: string | undefined } = { outcome: undefined };
  promise.then(
    () => {
      watched.outcome = "done";
    },
    (error: { code?: string }) => {
      watched.outcome = error.code ?? "failed";
    },
  );
  return watched;
}

/** What is asked of it waits until the answer is called, also what was asked before. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  testScope().defer(open);
  return { opened, open };
}

async function alone(): Promise<{ cluster: Cluster; node: TestNode }> {
  const cluster = new Cluster();
  return { cluster, node: await cluster.add() };
}

/** A node with a snapshot that was just started, and does not run its group yet. */
async function withSnapshot(): Promise<{ cluster: Cluster; node: TestNode }> {
  const cluster = await Cluster.of(1, { snapshotEvery: 100 });
  const node = await cluster.elected();
  await cluster.propose("x".repeat(200));
  const taken = () => (node.storage.snapshots.newest(0)?.index ?? 0) > 1;
  await cluster.until(taken, "a snapshot");
  await node.stop();
  await node.start();
  node.groups.clear();
  return { cluster, node };
}

describe("open() on a disk that hangs", () => {
  test("is given three election timeouts; what it began comes later, and is found then", async () => {
    const { cluster, node } = await alone();
    const end = hang(node);
    const opening = node.open(0, ALONE);
    const watched = watch(opening);
    await cluster.ticks(29);
    expect(watched.outcome).toBeUndefined();
    await cluster.ticks(3);
    expect(watched.outcome).toBe("disk");
    await expect(opening).rejects.toThrow("group 0 waits in vain for the disk");
    const again = watch(node.open(0, ALONE));
    await cluster.ticks(20);
    expect(again.outcome).toBeUndefined();
    end();
    await cluster.until(() => again.outcome, "the second to open it");
    expect(again.outcome).toBe("done");
    expect(await cluster.propose("a")).toMatchObject({ type: "committed" });
  });

  test("that fails, too", async () => {
    const { cluster, node } = await alone();
    node.disk.failure = new Error("no space left on device");
    const opening = cluster.answer(node.open(0, ALONE));
    await expect(opening).rejects.toMatchObject({
      code: "disk",
      message: expect.stringContaining("no space left on device"),
    });
    node.disk.failure = undefined;
    await cluster.answer(node.open(0, ALONE));
  });

  test("while it reads a snapshot", async () => {
    const { cluster, node } = await withSnapshot();
    const { snapshots } = node.storage;
    const read = snapshots.read.bind(snapshots);
    const { opened, open } = gate();
    let closed = 0;
    snapshots.read = async (...args) => {
      const reader = await read(...args);
      const close = () => {
        closed++;
        return reader.close();
      };
      const chunks = () => reader.chunks();
      await opened;
      return { ...reader, chunks, close };
    };
    await expect(cluster.answer(node.open(0))).rejects.toMatchObject({ code: "disk" });
    const next = node.open(0);
    open();
    await cluster.answer(next);
    expect(node.machine().lines).toEqual(["x".repeat(200)]);
    await cluster.until(() => closed === 2, "the first one's file to be closed as well");
  });

  test("ends at once by close(), which waits for what is under way as long", async () => {
    const { cluster, node } = await alone();
    hang(node);
    const opening = watch(node.open(0, ALONE));
    const closing = watch(node.host.close(0));
    await cluster.ticks(1);
    expect([opening.outcome, closing.outcome]).toEqual(["closed", undefined]);
    await cluster.ticks(28);
    expect(closing.outcome).toBeUndefined();
    await cluster.ticks(3);
    expect(closing.outcome).toBe("done");
    expect(node.errors.join()).toContain("does not end");
  });

  test("ends by stop(), which waits no longer either", async () => {
    const { cluster, node } = await alone();
    const end = hang(node);
    const opening = watch(node.open(0, ALONE));
    const stopping = watch(node.host.stop());
    await cluster.ticks(1);
    expect(opening.outcome).toBe("closed");
    await cluster.ticks(31);
    expect(stopping.outcome).toBe("done");
    await expect(node.open(1, ALONE)).rejects.toMatchObject({ code: "closed" });
    end();
  });

  test("goes on as long as something gets done", async () => {
    const { cluster, node } = await withSnapshot();
    const { snapshots } = node.storage;
    const read = snapshots.read.bind(snapshots);
    snapshots.read = async (...args) => {
      const reader = await read(...args);
      async function* chunks() {
        for await (const chunk of reader.chunks()) {
          // Each comes in time, and all of them together do not.
          const pause = Promise.withResolvers<void>();
          cluster.time.set(200, () => pause.resolve());
          await pause.promise;
          yield chunk;
        }
      }
      return { ...reader, chunks };
    };
    const began = cluster.time.now();
    await cluster.answer(node.open(0));
    expect(cluster.time.now() - began).toBeGreaterThan(300);
    expect(node.machine().lines).toEqual(["x".repeat(200)]);
  });
});

describe("where a replica was removed", () => {
  /** It has been told, and its removal waits. */
  async function removing(): Promise<{ cluster: Cluster; node: TestNode; open: () => void }> {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    await cluster.propose("a");
    const node = cluster.followers[0]!;
    const { storage } = node;
    const remove = storage.remove.bind(storage);
    const { opened, open } = gate();
    let isRemoving = false;
    storage.remove = async (group) => {
      isRemoving = true;
      await opened;
      await remove(group);
    };
    const id = node.group().status.replica;
    await cluster.answer(leader.group().changeMembers([{ type: "remove", id }]));
    await cluster.until(() => isRemoving, "its removal");
    return { cluster, node, open };
  }

  test("another opens when it is gone, and is not taken for it", async () => {
    const { cluster, node, open } = await removing();
    const opening = node.open(0, NEW);
    const watched = watch(opening);
    await cluster.ticks(10);
    expect(watched.outcome).toBeUndefined();
    const machine = node.machine();
    await expect(node.host.open({ group: 0, machine })).rejects.toMatchObject({ code: "open" });
    open();
    const group = await cluster.answer(opening);
    expect(group.status.replica).toBe(4);
    expect(node.storage.groups.get(0)?.replica).toBe(4);
    const leader = await cluster.elected();
    const add = { type: "addVoter", id: 4, node: node.name } as const;
    const added = leader.group().changeMembers([add]);
    expect(await cluster.answer(added)).toMatchObject({ type: "done" });
    await cluster.until(() => node.machine().lines.length === 1, "it to follow");
  });

  test("another is refused while the disk keeps it there; close() waits for it as well", async () => {
    const { cluster, node, open } = await removing();
    await expect(cluster.answer(node.open(0, NEW))).rejects.toMatchObject({ code: "disk" });
    expect(await cluster.answer(node.host.close(0))).toBe(false);
    open();
    expect(await cluster.answer(node.host.close(0))).toBe(true);
    expect(node.storage.groups.size).toBe(0);
  });
});
