import { seededRandom, silentLogger } from "@canopy/base";
import { describe, expect, test } from "vitest";
import { openStorage, type RaftStorage, StorageError } from "../../src/index.ts";
import { BEGINNING, entries, meta, write } from "./harness.ts";
import { MemoryDisk } from "./memory-disk.ts";

const DIRECTORY = "/raft";
const CHUNKS = ["first chunk", "the second one", "x".repeat(300)];

async function start(disk: MemoryDisk): Promise<RaftStorage> {
  const options = { directory: DIRECTORY, disk, segmentBytes: 4096, logger: silentLogger };
  const storage = openStorage({ ...options, random: seededRandom(disk.operations + 1) });
  await storage.start();
  return storage;
}

async function withSnapshot(index = 5): Promise<{ disk: MemoryDisk; storage: RaftStorage }> {
  const disk = new MemoryDisk();
  const storage = await start(disk);
  await storage.create(0, 1, BEGINNING);
  await write(storage, { entries: entries(1, 20, 1) });
  await save(storage, index);
  return { disk, storage };
}

async function save(storage: RaftStorage, index: number): Promise<void> {
  const writer = await storage.snapshots.create(0, meta(index, 1));
  for (const chunk of CHUNKS) await writer.write(Buffer.from(chunk));
  await writer.finish();
}

async function chunksOf(storage: RaftStorage, index: number): Promise<string[]> {
  const reader = await storage.snapshots.read(0, index);
  try {
    const chunks: string[] = [];
    for await (const chunk of reader.chunks()) chunks.push(Buffer.from(chunk).toString());
    return chunks;
  } finally {
    await reader.close();
  }
}

describe("a snapshot file", () => {
  test("gives back its chunks, and is the newest after a restart", async () => {
    const { disk, storage } = await withSnapshot();
    expect(await chunksOf(storage, 5)).toEqual(CHUNKS);
    await storage.stop();
    const after = await start(disk);
    expect(after.snapshots.newest(0)).toEqual(meta(5, 1));
    expect(after.groups.get(0)?.log.snapshot).toEqual(meta(5, 1));
    expect(await chunksOf(after, 5)).toEqual(CHUNKS);
    await after.stop();
  });

  test("that is damaged or cut anywhere is refused by file and offset", async () => {
    const { disk, storage } = await withSnapshot();
    await storage.stop();
    const [path] = disk.paths("snapshot") as [string];
    const bytes = disk.bytes(path);
    const read = async (content: Buffer): Promise<unknown> => {
      const damaged = disk.copy();
      damaged.put(path, content);
      try {
        const after = await start(damaged);
        const chunks = await chunksOf(after, 5);
        await after.stop();
        return chunks;
      } catch (error) {
        return error;
      }
    };
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at & 7);
      for (const content of [flipped, bytes.subarray(0, at)]) {
        const error = await read(content);
        expect(error).toBeInstanceOf(StorageError);
        expect((error as StorageError).message).toContain(`${path}, offset`);
      }
    }
    expect(await read(Buffer.concat([bytes, Buffer.of(0)]))).toBeInstanceOf(StorageError);
  });

  test("that was not finished is gone after a restart, and one that the log does not know", async () => {
    const { disk, storage } = await withSnapshot();
    const writer = await storage.snapshots.create(0, meta(8, 1));
    await writer.write(Buffer.from("begun"));
    await save(storage, 99);
    const after = await start(disk.copy());
    expect(after.snapshots.newest(0)).toEqual(meta(5, 1));
    await after.stop();
    await storage.stop();
  });

  test("of a group that was removed does not come back with a loss of power", async () => {
    const { disk, storage } = await withSnapshot();
    await storage.remove(0);
    for (let seed = 1; seed <= 20; seed++) {
      expect(disk.crashed(seededRandom(seed)).paths("snapshot")).toEqual([]);
    }
    await storage.stop();
  });

  test("is kept while it is read, and removed then", async () => {
    const { disk, storage } = await withSnapshot();
    await save(storage, 10);
    const reader = await storage.snapshots.read(0, 5);
    await storage.snapshots.prune(0, 10);
    expect(disk.paths("snapshot")).toHaveLength(2);
    expect(await reader.part(0, 8)).toEqual(Buffer.from("CANOPYRS"));
    await expect(storage.snapshots.read(0, 5)).rejects.toThrow(StorageError);
    await reader.close();
    expect(disk.paths("snapshot")).toHaveLength(1);
    await storage.stop();
  });
});

describe("a snapshot that a leader sends", () => {
  async function sent() {
    const { storage: leader } = await withSnapshot(17);
    const reader = await leader.snapshots.read(0, 17);
    const bytes = Buffer.from(await reader.part(0, reader.size));
    await reader.close();
    await leader.stop();
    const disk = new MemoryDisk();
    const storage = await start(disk);
    await storage.create(0, 2, BEGINNING);
    return { disk, storage, bytes };
  }

  test("goes on where it was interrupted", async () => {
    const { storage, bytes } = await sent();
    const first = await storage.snapshots.receive(0, meta(17, 1), bytes.length);
    expect(first.received).toBe(0);
    await first.part(0, bytes.subarray(0, 100));
    await expect(first.part(50, bytes)).rejects.toThrow(/part at 50/);
    await first.close();
    const second = await storage.snapshots.receive(0, meta(17, 1), bytes.length);
    expect(second.received).toBe(100);
    await second.part(100, bytes.subarray(100));
    await second.finish();
    expect(await chunksOf(storage, 17)).toEqual(CHUNKS);
    await storage.stop();
  });

  test("begins anew where it is another one", async () => {
    const { storage, bytes } = await sent();
    const first = await storage.snapshots.receive(0, meta(16, 1), bytes.length);
    await first.part(0, bytes.subarray(0, 100));
    await first.close();
    const second = await storage.snapshots.receive(0, meta(17, 1), bytes.length);
    expect(second.received).toBe(0);
    await second.close();
    await storage.stop();
  });

  test("and is damaged on the way is removed, and can be sent again", async () => {
    const { disk, storage, bytes } = await sent();
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 20]! ^= 1;
    const first = await storage.snapshots.receive(0, meta(17, 1), bytes.length);
    await first.part(0, damaged);
    await expect(first.finish()).rejects.toThrow(StorageError);
    expect(disk.paths("snapshot")).toEqual([]);
    const second = await storage.snapshots.receive(0, meta(17, 1), bytes.length);
    expect(second.received).toBe(0);
    await second.part(0, bytes);
    await second.finish();
    expect(storage.snapshots.newest(0)).toEqual(meta(17, 1));
    await storage.stop();
  });
});
