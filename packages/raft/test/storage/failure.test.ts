import { seededRandom, silentLogger } from "@canopy/base";
import { FakeTime, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { openStorage, type RaftStorage } from "../../src/index.ts";
import { BEGINNING, entries, entry, groupWrite, meta, textOf, write } from "./harness.ts";
import { MemoryDisk } from "./memory-disk.ts";

const DIRECTORY = "/raft";

async function start(disk: MemoryDisk, time = new FakeTime()): Promise<RaftStorage> {
  const storage = openStorage({
    directory: DIRECTORY,
    disk,
    timers: time,
    random: seededRandom(1),
    segmentBytes: 4096,
    logger: silentLogger,
  });
  await storage.start();
  return storage;
}

describe("group commit", () => {
  test("what waits goes with one write and one sync, and is told in order", async () => {
    const disk = new MemoryDisk();
    const storage = await start(disk);
    await storage.create(0, 1, BEGINNING);
    await storage.create(1, 1, BEGINNING);
    const syncs: string[] = [];
    let letGo: (() => void) | undefined;
    disk.before = (operation, path) => {
      // The next segment is made ready meanwhile.
      if (!path.includes("wal-0000000000000001")) return undefined;
      if (operation === "sync" || operation === "write") syncs.push(operation);
      if (operation !== "sync" || letGo !== undefined) return undefined;
      return new Promise<void>((resolve) => (letGo = resolve));
    };
    const done: number[] = [];
    storage.write(groupWrite({ entries: [entry(1, 1)] }), () => done.push(0));
    await waitFor(() => letGo !== undefined);
    for (let i = 1; i < 100; i++) {
      const parts = { group: i % 2, entries: [entry(Math.floor(i / 2) + 1, 1)] };
      storage.write(groupWrite(i % 2 === 0 ? { ...parts, entries: [] } : parts), () =>
        done.push(i),
      );
    }
    expect(done).toEqual([]);
    letGo?.();
    await waitFor(() => done.length === 100);
    expect(done).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(syncs).toEqual(["write", "sync", "write", "sync"]);
    await storage.stop();
  });

  test("nobody is told anything after stop", async () => {
    const disk = new MemoryDisk();
    const storage = await start(disk);
    await storage.create(0, 1, BEGINNING);
    let done = 0;
    storage.write(groupWrite({ entries: [entry(1, 1)] }), () => done++);
    await storage.stop();
    expect(done).toBe(0);
  });
});

describe("a disk that fails", () => {
  test.each(["write", "sync"] as const)(
    "at %s: it is said, everything is kept, and written when it can be",
    async (operation) => {
      const disk = new MemoryDisk();
      const time = new FakeTime();
      const storage = await start(disk, time);
      await storage.create(0, 1, BEGINNING);
      const failing: (string | undefined)[] = [];
      storage.onFailing = (error) => failing.push(error?.message);
      disk.fail(operation);
      disk.partOfWrite = 30;
      disk.random = seededRandom(3);
      const done: number[] = [];
      for (let i = 1; i <= 5; i++) {
        storage.write(groupWrite({ entries: [entry(i, 1)] }), () => done.push(i));
      }
      for (let tries = 0; tries < 6; tries++) {
        await waitFor(() => time.pending > 0);
        time.advance(5_000);
      }
      await waitFor(() => time.pending > 0);
      expect(done).toEqual([]);
      expect(storage.failing?.message).toBe(`EIO: ${operation}`);
      disk.heal();
      time.advance(5_000);
      await waitFor(() => done.length === 5);
      expect(done).toEqual([1, 2, 3, 4, 5]);
      expect(failing).toEqual([`EIO: ${operation}`, undefined]);
      expect(storage.failing).toBeUndefined();
      // What a failed sync took for written may never have reached the disk.
      const after = await start(disk.crashed(seededRandom(5)));
      expect(textOf(after.groups.get(0)!.log)).toHaveLength(5);
      await after.stop();
      await storage.stop();
    },
  );

  test("in one place only: it goes on in another segment", async () => {
    const disk = new MemoryDisk();
    const time = new FakeTime();
    const storage = await start(disk, time);
    await storage.create(0, 1, BEGINNING);
    const [bad] = disk.paths("wal") as [string];
    disk.before = (operation, path) => {
      // A file that was renamed is told by its first name.
      if (operation === "sync" && path.startsWith(bad)) throw new Error("EIO");
    };
    const written = write(storage, { entries: entries(1, 3, 1) });
    await waitFor(() => time.pending > 0);
    time.advance(5_000);
    await waitFor(() => time.pending > 0);
    time.advance(5_000);
    await written;
    expect(disk.paths("wal").length).toBeGreaterThan(1);
    await storage.stop().catch(() => {});
    const after = await start(disk.copy());
    expect(textOf(after.groups.get(0)!.log)).toHaveLength(3);
    await after.stop();
  });

  test("while a snapshot is saved (no space left): the node still boots and goes on from its log", async () => {
    const disk = new MemoryDisk();
    const storage = await start(disk);
    await storage.create(0, 1, BEGINNING);
    await write(storage, { entries: entries(1, 9, 1) });
    const steps = ["create", "write", "sync", "rename", "syncDirectory"] as const;
    for (const step of steps) {
      disk.before = (operation, path) => {
        if (operation === step && !path.includes("wal")) throw new Error("ENOSPC");
      };
      const saved = storage.snapshots.create(0, meta(5, 1)).then(async (writer) => {
        await writer.write(Buffer.from("state"));
        await writer.finish();
      });
      await expect(saved).rejects.toThrow("ENOSPC");
      // It would take the room that the log may be waiting for.
      expect(disk.paths("snapshot").filter((path) => path.endsWith(".tmp"))).toEqual([]);
      disk.heal();
      const booted = await start(disk.crashed(seededRandom(1)));
      const { log } = booted.groups.get(0)!;
      expect([log.snapshot.index, log.entries.length]).toEqual([0, 9]);
      await write(booted, { entries: [entry(10, 1)] });
      await booted.stop();
    }
    await storage.stop();
  });

  test("at the first start of all: it is refused", async () => {
    const disk = new MemoryDisk();
    disk.fail("write");
    await expect(start(disk)).rejects.toThrow("EIO: write");
  });
});

describe("known bugs of other implementations", () => {
  test("term and vote written in two steps: a hard state and its entries are there together or not at all", async () => {
    for (let seed = 1; seed < 200; seed++) {
      const disk = new MemoryDisk();
      const storage = await start(disk);
      await storage.create(0, 1, BEGINNING);
      await write(storage, {
        hardState: { term: 1, vote: 1, commit: 0 },
        entries: entries(1, 2, 1),
      });
      disk.before = (operation) => (operation === "sync" ? new Promise<void>(() => {}) : undefined);
      const hardState = { term: 2, vote: 3, commit: 1 };
      storage.write(groupWrite({ hardState, entries: entries(2, 9, 2) }), () => {});
      await new Promise((resolve) => setImmediate(resolve));
      const { log } = (await start(disk.crashed(seededRandom(seed)))).groups.get(0)!;
      const { term, vote, commit } = log.hardState;
      const old = [1, 1, 0, 2];
      const whole = [2, 3, 1, 9];
      expect([old, whole]).toContainEqual([term, vote, commit, log.entries.length]);
    }
  });

  test("a follower's stale last index after truncation: the log ends where the overwriting ends", async () => {
    const disk = new MemoryDisk();
    const storage = await start(disk);
    await storage.create(0, 1, BEGINNING);
    await write(storage, { entries: entries(1, 40, 1) });
    await write(storage, { entries: entries(11, 12, 2) });
    await storage.stop();
    const after = await start(disk);
    expect(after.groups.get(0)!.log.entries.map(({ term }) => term)).toEqual([
      ...Array.from({ length: 10 }, () => 1),
      2,
      2,
    ]);
    await after.stop();
  });

  test("a snapshot forgets a joint configuration: every part of it is in the file and in the log", async () => {
    const disk = new MemoryDisk();
    const storage = await start(disk);
    await storage.create(0, 1, BEGINNING);
    const joint = {
      index: 7,
      term: 2,
      configuration: {
        voters: [1, 2, 4],
        outgoing: [1, 2, 3],
        learners: [5],
        learnersNext: [3],
        autoLeave: true,
        highest: 9,
        nodes: new Map([1, 2, 3, 4, 5].map((id) => [id, { name: `node ${id}`, disk: id }])),
      },
    };
    const writer = await storage.snapshots.create(0, joint);
    await writer.finish();
    await write(storage, { snapshot: joint });
    await storage.stop();
    const after = await start(disk);
    expect(after.groups.get(0)!.log.snapshot).toEqual(joint);
    expect(after.snapshots.newest(0)).toEqual(joint);
    const reader = await after.snapshots.read(0, 7);
    expect(reader.meta).toEqual(joint);
    await reader.close();
    await after.stop();
  });
});
