/** A group of which the majority is lost for good: what `canopy raft recover` leaves is a group that works. */
import { join } from "node:path";
import { silentLogger } from "@canopy/base";
import { FakeTime, SmallDisk, tempDir, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { ReplicatedMachine } from "../../src/host/machine.ts";
import { openStorage, type RaftStorage, type SnapshotMeta } from "../../src/index.ts";
import { carryOut, planRecovery } from "../../src/inspect/survivors.ts";
import { Cluster, type TestNode } from "../host/cluster.ts";
import { ListMachine } from "../host/list-machine.ts";
import { BEGINNING, entries, meta, open, run, write } from "./harness.ts";
import { MemoryDisk } from "./memory-disk.ts";

const LINES = ["a", "b", "c"];

async function save(storage: RaftStorage, known: SnapshotMeta, lines: string[]): Promise<void> {
  const machine = new ListMachine();
  machine.lines = lines;
  const writer = await storage.snapshots.create(0, known);
  for (const chunk of new ReplicatedMachine(machine).snapshot()) await writer.write(chunk);
  await writer.finish();
}

/** Node 1 of a group of three, stopped, with these lines in its log from index 3 on, and no snapshot. */
async function survivor(lines: string[]): Promise<[Cluster, TestNode]> {
  const cluster = await Cluster.of(3);
  for (const line of lines) await cluster.propose(line);
  const node = cluster.nodes[0]!;
  await cluster.until(
    () => node.machine().lines.length === lines.length,
    "the survivor to have all",
  );
  for (const each of cluster.nodes) await each.stop();
  return [cluster, node];
}

/** As if it had taken a snapshot there; `compacted`: and needed nothing before it any more. */
async function takeSnapshot(
  { storage }: TestNode,
  index: number,
  compacted: boolean,
): Promise<void> {
  const { snapshot, entries: log, hardState } = storage.groups.get(0)!.log;
  const term = log.find((entry) => entry.index === index)?.term ?? snapshot.term;
  await save(storage, { ...snapshot, index, term }, LINES.slice(0, Math.max(0, index - 2)));
  if (compacted) storage.compact(0, index);
  await write(storage, { hardState });
}

describe("a survivor is a group of one that works", () => {
  test.each([
    { lines: 0, file: 0, compacted: false },
    { lines: 3, file: 0, compacted: false },
    { lines: 0, file: 1, compacted: false },
    { lines: 3, file: 1, compacted: false },
    { lines: 3, file: 4, compacted: false },
    { lines: 3, file: 4, compacted: true },
  ])("with $lines lines, a snapshot file of index $file, compacted: $compacted", async (given) => {
    const lines = LINES.slice(0, given.lines);
    const [cluster, node] = await survivor(lines);
    await node.start();
    if (given.file > 0) await takeSnapshot(node, given.file, given.compacted);
    await node.stop();
    await node.start();
    const plan = planRecovery(node.storage, 0, [1]);
    expect(plan.snapshot.index).toBe(given.file || 1);
    await carryOut(node.storage, plan);
    for (let boot = 0; boot < 2; boot++) {
      await node.stop();
      await node.start();
      await node.open(0);
      await cluster.until(() => node.leads, "it to lead");
      expect(await cluster.propose(`boot ${boot}`)).toMatchObject({ type: "committed" });
    }
    expect(node.group().status.configuration.voters).toEqual([1]);
    expect(node.machine().lines).toEqual([...lines, "boot 0", "boot 1"]);
    expect(node.errors).toEqual([]);
  });

  test("by the command, without a snapshot file", async () => {
    const directory = await tempDir();
    const storage = await open(directory);
    await storage.create(0, 1, meta(1, 1));
    await write(storage, { entries: entries(2, 6, 1) });
    await storage.stop();
    const { code } = await run("recover", directory, "--group", "0", "--keep", "1", "--yes");
    expect(code).toBe(0);
    const { log } = (await open(directory)).groups.get(0)!;
    expect(log.snapshot.configuration.voters).toEqual([1]);
    expect(log.entries).toHaveLength(5);
    expect(await run("inspect", directory)).toMatchObject({ code: 0 });
  });
});

async function start(disk: MemoryDisk): Promise<RaftStorage> {
  const options = { directory: "/raft", disk, timers: new FakeTime(), logger: silentLogger };
  const storage = openStorage(options);
  await storage.start();
  return storage;
}

/** Stopped, with entries up to 6 and a snapshot at 5. */
async function folder(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const storage = await start(disk);
  await storage.create(0, 1, BEGINNING);
  await write(storage, { entries: entries(1, 6, 1) });
  await save(storage, meta(5, 1), LINES);
  await storage.stop();
  return disk;
}

describe("a recovery that is cut off", () => {
  test("between the log and the snapshot file: the next start corrects the file", async () => {
    const disk = await folder();
    const cut = await start(disk);
    let isCut = false;
    disk.before = (operation, path) => {
      if (operation !== "create" || !path.includes("snapshot")) return undefined;
      isCut = true;
      return new Promise(() => {});
    };
    void carryOut(cut, planRecovery(cut, 0, [1]));
    await waitFor(() => isCut);
    const after = await start(disk.copy());
    const { log } = after.groups.get(0)!;
    expect(log.snapshot.configuration.voters).toEqual([1]);
    expect(after.snapshots.newest(0)).toEqual(log.snapshot);
    const reader = await after.snapshots.read(0, 5);
    expect(reader.meta).toEqual(log.snapshot);
    const chunks: string[] = [];
    for await (const chunk of reader.chunks()) chunks.push(Buffer.from(chunk).toString());
    expect(chunks.join("")).toContain(JSON.stringify(LINES));
    await reader.close();
    await after.stop();
    await cut.stop();
  });

  test("by a disk that fails: it says so instead of waiting, and can be repeated", async () => {
    const disk = await folder();
    const failing = await start(disk);
    disk.fail("write");
    const plan = planRecovery(failing, 0, [1]);
    await expect(carryOut(failing, plan)).rejects.toThrow(
      /can't be written: EIO: write; do it again/,
    );
    await failing.stop();
    disk.heal();
    const before = await start(disk);
    expect(before.groups.get(0)!.log.snapshot.configuration.voters).toEqual([1, 2, 3]);
    await carryOut(before, planRecovery(before, 0, [1]));
    await before.stop();
    const after = await start(disk);
    expect(after.groups.get(0)!.log.snapshot.configuration.voters).toEqual([1]);
    await after.stop();
  });

  test("by a full disk: the command ends with 2", async (context) => {
    if (!SmallDisk.canMount()) return context.skip("a tmpfs can't be mounted");
    const disk = await SmallDisk.mount(1024 * 1024);
    const directory = join(disk.path, "raft");
    const storage = await open(directory);
    await storage.create(0, 1, meta(1, 1));
    await write(storage, { entries: entries(2, 6, 1) });
    await storage.stop();
    const recover = ["recover", directory, "--group", "0", "--keep", "1", "--yes"];
    await disk.fill(0);
    const { code, err } = await run(...recover);
    expect(code).toBe(2);
    expect(err).toMatch(/canopy raft: the log can't be written: ENOSPC.*; do it again/);
    await disk.makeRoom();
    expect(await run(...recover)).toMatchObject({ code: 0 });
  });
});
