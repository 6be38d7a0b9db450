import { ByteWriter, crc32c, seededRandom, silentLogger } from "@canopy/base";
import { describe, expect, test, vi } from "vitest";
import { openStorage, type RaftStorage, StorageError } from "../../src/index.ts";
import { FRAME_HEADER_BYTES, sealFrame } from "../../src/storage/frame.ts";
import { encodeHeader, HEADER_BYTES } from "../../src/storage/header.ts";
import { encodeRecord } from "../../src/storage/records.ts";
import { SegmentContent } from "../../src/storage/scan.ts";
import { BEGINNING, entries, entry, groupWrite, meta, textOf, write } from "./harness.ts";
import { MemoryDisk } from "./memory-disk.ts";

// Thousands of starts.
vi.setConfig({ testTimeout: 30_000 });

const DIRECTORY = "/raft";

async function start(disk: MemoryDisk, segmentBytes = 2 ** 20): Promise<RaftStorage> {
  const storage = openStorage({ directory: DIRECTORY, disk, segmentBytes, logger: silentLogger });
  await storage.start();
  return storage;
}

/** The entries of group 0 after a start, or what it was refused with. */
async function outcome(disk: MemoryDisk): Promise<readonly string[] | StorageError> {
  try {
    const storage = await start(disk.copy());
    const group = storage.groups.get(0);
    await storage.stop();
    return group === undefined ? [] : textOf(group.log);
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
}

/** One frame per write; each write is of one or more entries. */
const WRITES = [entries(1, 2, 1), entries(3, 3, 1), entries(4, 6, 2), entries(7, 7, 2)];

async function written(segmentBytes?: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const storage = await start(disk, segmentBytes);
  await storage.create(0, 1, BEGINNING);
  for (const some of WRITES) {
    await write(storage, { entries: some, hardState: { term: 2, vote: 1, commit: 0 } });
  }
  await storage.stop();
  return disk;
}

async function framesOf(disk: MemoryDisk, number = 1): Promise<{ start: number; end: number }[]> {
  const content = await SegmentContent.read(disk, DIRECTORY, number);
  return [...content.frames()];
}

const wholeWrites = WRITES.map((_, i) =>
  WRITES.slice(0, i + 1)
    .flat()
    .map(({ index, term }) => `${index}/${term} entry ${index} of ${term}`),
);

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1 << (at & 7);
  return copy;
}

describe("a log that was cut", () => {
  test("at any byte has every whole write before it, and goes on from there", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    const bytes = disk.bytes(path);
    const frames = await framesOf(disk);
    const first = frames.length - WRITES.length;
    for (let size = frames[first - 1]!.end; size <= frames.at(-1)!.end; size++) {
      const cut = disk.copy();
      cut.put(path, bytes.subarray(0, size));
      const whole = frames.filter(({ end }) => end <= size).length - first;
      const before = wholeWrites[whole - 1] ?? [];
      const storage = await start(cut);
      expect(textOf(storage.groups.get(0)!.log)).toEqual(before);
      await write(storage, { entries: [entry(before.length + 1, 3, "goes on")] });
      await storage.stop();
      expect(await outcome(cut)).toEqual([...before, `${before.length + 1}/3 goes on`]);
    }
  });

  test("within its header is refused: that was on the disk before the file had its name", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    for (let size = 0; size < HEADER_BYTES; size++) {
      const cut = disk.copy();
      cut.put(path, disk.bytes(path).subarray(0, size));
      expect(await outcome(cut)).toMatchObject({ code: "damaged", file: path, offset: 0 });
    }
  });
});

describe("a log with a flipped bit", () => {
  test("anywhere before the last frame is refused by file and offset", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    const frames = await framesOf(disk);
    for (let at = 0; at < frames.at(-1)!.start; at++) {
      const damaged = disk.copy();
      damaged.put(path, flipped(disk.bytes(path), at));
      const error = await outcome(damaged);
      const offset = frames.find(({ start, end }) => start <= at && at < end)?.start ?? 0;
      expect(error).toBeInstanceOf(StorageError);
      expect(error).toMatchObject({ code: "damaged", file: path, offset });
      expect((error as StorageError).message).toContain(`${path}, offset`);
    }
  });

  test("in the very last frame ends before it: a torn write looks the same", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    const { start: from, end } = (await framesOf(disk)).at(-1)!;
    for (let at = from; at < end; at++) {
      const damaged = disk.copy();
      damaged.put(path, flipped(disk.bytes(path), at));
      expect(await outcome(damaged)).toEqual(wholeWrites.at(-2));
    }
  });

  test("in a segment that others follow is refused, wherever it is", async () => {
    const disk = await written(300);
    const paths = disk.paths("wal");
    expect(paths.length).toBeGreaterThan(2);
    const frames = await framesOf(disk, 1);
    for (let at = 0; at < frames.at(-1)!.end; at++) {
      const damaged = disk.copy();
      damaged.put(paths[0]!, flipped(disk.bytes(paths[0]!), at));
      expect(await outcome(damaged)).toMatchObject({ file: paths[0] });
    }
  });
});

describe("a frame that is missing between others", () => {
  test("is noticed, though all that are there are sound", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    const bytes = disk.bytes(path);
    const frames = await framesOf(disk);
    for (const { start: from, end } of frames.slice(0, -1)) {
      const cut = disk.copy();
      cut.put(path, Buffer.concat([bytes.subarray(0, from), bytes.subarray(end)]));
      expect(await outcome(cut)).toMatchObject({ code: "damaged", file: path });
    }
  });
});

describe("what was written and not synced", () => {
  test("by a process that was killed is on the disk before the next one acts on it", async () => {
    const disk = new MemoryDisk();
    const killed = await start(disk);
    await killed.create(0, 1, BEGINNING);
    const isSyncing = new Promise<void>((resolve) => {
      disk.before = (operation) => {
        if (operation !== "sync") return undefined;
        resolve();
        return new Promise<void>(() => {});
      };
    });
    killed.write(groupWrite({ entries: entries(1, 3, 1) }), () => {});
    await isSyncing;
    disk.heal();
    const next = await start(disk);
    expect(next.groups.get(0)?.log.entries).toHaveLength(3);
    for (let seed = 1; seed <= 20; seed++) {
      expect(await outcome(disk.crashed(seededRandom(seed)))).toHaveLength(3);
    }
    await next.stop();
  });

  test("with durability `os` is lost with the power, but not in segments that have ended", async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const disk = new MemoryDisk();
      const options = { directory: DIRECTORY, segmentBytes: 512, logger: silentLogger };
      const storage = openStorage({ ...options, disk, durability: "os" });
      await storage.start();
      await storage.create(0, 1, BEGINNING);
      for (let index = 1; index <= 20; index++) {
        await write(storage, { entries: entries(index, index, 1) });
      }
      const left = await outcome(disk.crashed(seededRandom(seed)));
      expect(left, `seed ${seed}`).toBeInstanceOf(Array);
      const { length } = left as string[];
      expect(left).toEqual(
        entries(1, length, 1).map(({ index }) => `${index}/1 entry ${index} of 1`),
      );
      expect(length, `seed ${seed}`).toBeGreaterThanOrEqual(await entriesInEnded(disk));
      await storage.stop();
    }
  });

  test("with durability `os` is not the identity of the folder", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const disk = new MemoryDisk();
      const storage = openStorage({ directory: DIRECTORY, disk, durability: "os" });
      await storage.start();
      await storage.create(0, 1, BEGINNING);
      await write(storage, { entries: entries(1, 1, 1, "x".repeat(1000)) });
      const next = await start(disk.crashed(seededRandom(seed)));
      expect(next.disk).toBe(storage.disk);
      await next.stop();
      await storage.stop();
    }
  });
});

/** Entries in all segments with content but the last. */
async function entriesInEnded(disk: MemoryDisk): Promise<number> {
  const counts: number[] = [];
  for (let number = 1; number <= disk.paths("wal").length; number++) {
    const content = await SegmentContent.read(disk, DIRECTORY, number);
    const records = [...content.frames()].flatMap((frame) => [...content.records(frame)]);
    if (records.length > 0) counts.push(records.filter(({ type }) => type === "write").length);
  }
  expect(counts.length).toBeGreaterThan(3);
  return counts.slice(0, -1).reduce((sum, count) => sum + count, 0);
}

describe("a segment that is missing", () => {
  test("is named, wherever it was", async () => {
    const disk = await written(300);
    const filled: string[] = [];
    for (const [i, path] of disk.paths("wal").entries()) {
      if ((await framesOf(disk, i + 1)).length > 0) filled.push(path);
    }
    for (const path of filled.slice(0, -1)) {
      const damaged = disk.copy();
      damaged.names.delete(path);
      expect(await outcome(damaged)).toMatchObject({ code: "missing", file: path });
    }
  });

  test("and was only begun is not missed", async () => {
    const disk = await written(300);
    const expected = await outcome(disk);
    const last = disk.paths("wal").at(-1)!;
    expect(await framesOf(disk, disk.paths("wal").length)).toEqual([]);
    disk.names.delete(last);
    expect(await outcome(disk)).toEqual(expected);
  });

  test("with all others too, but not the snapshots, is refused", async () => {
    const disk = await written();
    const storage = await start(disk);
    const writer = await storage.snapshots.create(0, meta(1, 1));
    await writer.finish();
    await storage.stop();
    for (const path of disk.paths("wal")) disk.names.delete(path);
    expect(await outcome(disk)).toMatchObject({ code: "missing" });
  });
});

describe("stale frames of an earlier life of the file", () => {
  test("are not taken for content, wherever the content ends", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    const stale = disk.bytes(path);
    const fresh = await written();
    const frames = await framesOf(fresh);
    for (const { end } of frames.slice(-WRITES.length)) {
      const recycled = fresh.copy();
      const whole = Buffer.concat([fresh.bytes(path).subarray(0, end), stale.subarray(end)]);
      recycled.put(path, whole);
      const expected = fresh.copy();
      expected.put(path, fresh.bytes(path).subarray(0, end));
      expect(await outcome(recycled)).toEqual(await outcome(expected));
    }
  });
});

describe("a newer format", () => {
  test("of a segment is refused", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    const bytes = Buffer.from(disk.bytes(path));
    bytes.writeUInt32BE(2, 8);
    bytes.writeUInt32BE(crc32c(bytes, 0, HEADER_BYTES - 4), HEADER_BYTES - 4);
    disk.put(path, bytes);
    const error = await outcome(disk);
    expect(error).toMatchObject({ code: "newer", file: path, offset: 8 });
    expect((error as StorageError).message).toMatch(/format 2.*start a newer version/);
  });

  test("of a snapshot is refused", async () => {
    const disk = await written();
    const storage = await start(disk);
    await (await storage.snapshots.create(0, meta(1, 1))).finish();
    await storage.stop();
    const [path] = disk.paths("snapshot") as [string];
    const bytes = Buffer.from(disk.bytes(path));
    bytes.writeUInt32BE(2, 8);
    const end = 28 + bytes.readUInt32BE(20);
    bytes.writeUInt32BE(crc32c(bytes, 28, end, crc32c(bytes, 0, 24)), 24);
    disk.put(path, bytes);
    expect(await outcome(disk)).toMatchObject({ code: "newer", file: path, offset: 8 });
  });

  test("of what the nodes of a cluster exchange is refused", async () => {
    const salt = Buffer.from("12345678");
    const frame = new ByteWriter(64);
    frame.gap(FRAME_HEADER_BYTES);
    encodeRecord(frame, { type: "identity", disk: 5, format: 2 });
    const sealed = sealFrame(frame, salt, { number: 1, synced: 0, back: 0, previousEnd: 0 });
    const disk = new MemoryDisk();
    const file = "/raft/wal-0000000000000001.seg";
    disk.put(file, Buffer.concat([encodeHeader({ number: 1, salt }), sealed]));
    expect(await outcome(disk)).toMatchObject({ code: "newer", file, offset: HEADER_BYTES });
  });

  test("is not what a flipped bit in the head of a snapshot looks like", async () => {
    const disk = await written();
    const storage = await start(disk);
    await (await storage.snapshots.create(0, meta(1, 1))).finish();
    await storage.stop();
    const [path] = disk.paths("snapshot") as [string];
    const head = 28 + disk.bytes(path).readUInt32BE(20);
    for (let at = 0; at < head; at++) {
      const damaged = disk.copy();
      damaged.put(path, flipped(disk.bytes(path), at));
      expect(await outcome(damaged)).toMatchObject({ code: "damaged", file: path, offset: 0 });
    }
  });
});

describe("a first start that failed", () => {
  const second = "/raft/wal-0000000000000002.seg";
  const header = encodeHeader({ number: 2, salt: Buffer.from("12345678") });

  test.each([0, 100])(
    "twice, and then crashed with %d bytes of a frame, is repeated",
    async (torn) => {
      const disk = new MemoryDisk();
      disk.put(second, Buffer.concat([header, Buffer.alloc(torn)]));
      const storage = await start(disk);
      await storage.create(0, 1, BEGINNING);
      await write(storage, { entries: entries(1, 2, 1) });
      await storage.stop();
      expect(disk.paths("wal")).toEqual(["/raft/wal-0000000000000001.seg"]);
      expect(await outcome(disk)).toHaveLength(2);
    },
  );

  test("is not what is left where the segments before were removed", async () => {
    const disk = new MemoryDisk();
    disk.put(second, Buffer.concat([header, Buffer.alloc(4096)]));
    expect(await outcome(disk)).toMatchObject({ code: "missing", file: second });
    disk.put(second, header);
    disk.put("/raft/spare-0000000000000001.seg", Buffer.alloc(300));
    expect(await outcome(disk)).toMatchObject({ code: "missing", file: second });
    expect(disk.paths("spare")).toHaveLength(1);
  });

  test("is not what a log is of which nothing but the header is left", async () => {
    const disk = await written();
    const [path] = disk.paths("wal") as [string];
    const { length } = disk.bytes(path);
    disk.put(path, Buffer.concat([disk.bytes(path).subarray(0, HEADER_BYTES)], length));
    expect(await outcome(disk)).toMatchObject({ code: "missing", file: path });
  });

  test("is not what is left where all segments were removed, but spares are there", async () => {
    const disk = new MemoryDisk();
    disk.put("/raft/spare-0000000000000001.seg", Buffer.alloc(300));
    const file = "/raft/wal-0000000000000001.seg";
    expect(await outcome(disk)).toMatchObject({ code: "missing", file });
  });
});
