import { type Logger, silentLogger } from "@canopy/base";
import { testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { openStorage, type RaftStorage } from "../../src/index.ts";
import {
  BEGINNING,
  entries,
  entry,
  meta,
  SMALL_SEGMENT as segmentBytes,
  textOf,
  write,
} from "./harness.ts";
import { MemoryDisk } from "./memory-disk.ts";

const DIRECTORY = "/raft";
const FIRST = "/raft/wal-0000000000000001.seg";

async function start(disk: MemoryDisk, logger: Logger = silentLogger): Promise<RaftStorage> {
  const storage = openStorage({ directory: DIRECTORY, disk, segmentBytes, logger });
  await storage.start();
  testScope().defer(() => storage.stop());
  return storage;
}

/** So many segments of group 0, which needs nothing of them. */
async function pass(storage: RaftStorage, from: number, segments: number): Promise<void> {
  for (let index = from; index < from + segments * 2; index++) {
    await write(storage, { entries: [entry(index, 1, "x".repeat(segmentBytes / 2))] });
    await (await storage.snapshots.create(0, meta(index, 1))).finish();
    storage.compact(0, index);
  }
}

describe("what a quiet group needs of an old segment", () => {
  test("is moved under its own indexes, also where one between was moved before", async () => {
    const disk = new MemoryDisk();
    const storage = await start(disk);
    await storage.create(0, 1, BEGINNING);
    await storage.create(1, 1, BEGINNING);
    await write(storage, { group: 1, entries: [entry(1, 1)] });
    // Entry 2 is there twice: by itself, and between others.
    await write(storage, { group: 1, entries: [entry(2, 2)] });
    await write(storage, { group: 1, entries: entries(1, 4, 2) });
    await pass(storage, 1, 8);
    await waitFor(() => !disk.names.has(FIRST));
    await storage.stop();
    const { log } = (await start(disk)).groups.get(1)!;
    expect(textOf(log)).toEqual(
      entries(1, 4, 2).map(({ index }) => `${index}/2 entry ${index} of 2`),
    );
  });

  test("and can't be read is said once, and not tried again; when it is not needed any more all goes on", async () => {
    const disk = new MemoryDisk();
    const errors: string[] = [];
    const logger = {
      ...silentLogger,
      error: (fields: object, message: string) => {
        errors.push(`${message} ${JSON.stringify(fields)}`);
      },
    };
    const storage = await start(disk, logger);
    await storage.create(0, 1, BEGINNING);
    await storage.create(1, 1, BEGINNING);
    await write(storage, { group: 1, entries: [entry(1, 1, "quiet")] });
    await pass(storage, 1, 2);
    const rotten = Buffer.from(disk.bytes(FIRST));
    rotten[rotten.indexOf("quiet")]! ^= 1;
    disk.put(FIRST, rotten);
    let opened = 0;
    disk.before = (operation, path) => {
      if (operation === "open" && path === FIRST) opened++;
    };
    await pass(storage, 5, 6);
    await waitFor(() => errors.length > 0);
    await pass(storage, 17, 6);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^old raft log could not be read .*0001\.seg, offset \d+: bad frame/);
    expect(opened).toBe(1);
    expect(disk.names.has(FIRST)).toBe(true);
    await (await storage.snapshots.create(1, meta(1, 1))).finish();
    storage.compact(1, 1);
    await pass(storage, 29, 1);
    await waitFor(() => disk.paths("wal").length <= 5);
    expect(errors).toHaveLength(1);
  });
});
