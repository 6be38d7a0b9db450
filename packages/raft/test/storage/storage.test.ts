import { readdir } from "node:fs/promises";
import { tempDir, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import type { RaftStorage, RecoveredGroup } from "../../src/index.ts";
import { BEGINNING, entries, entry, groupWrite, meta, open, textOf, write } from "./harness.ts";

/** Until the first segments are given up: what has to stay is in the heads of later ones. */
async function fillSegments(storage: RaftStorage, group: number): Promise<void> {
  for (let index = 1; index <= 40; index++) {
    await write(storage, { group, entries: [entry(index, 1, "x".repeat(1000))] });
  }
  const writer = await storage.snapshots.create(group, meta(39, 1));
  await writer.finish();
  storage.compact(group, 39);
  await write(storage, { group, entries: [entry(41, 1)] });
}

describe("what was written is there after a restart", () => {
  test("the identity of the folder, groups, hard state, entries", async () => {
    const directory = await tempDir();
    const first = await open(directory);
    await first.create(0, 1, BEGINNING);
    await first.create(7, 3, BEGINNING);
    await write(first, {
      group: 7,
      hardState: { term: 2, vote: 3, commit: 1 },
      entries: [entry(1, 1), entry(2, 2)],
    });
    await first.stop();
    const second = await open(directory);
    expect(second.disk).toBe(first.disk);
    expect([...second.groups.keys()]).toEqual([0, 7]);
    const group = second.groups.get(7) as RecoveredGroup;
    expect(group.replica).toBe(3);
    expect(group.log.hardState).toEqual({ term: 2, vote: 3, commit: 1 });
    expect(group.log.snapshot).toEqual(BEGINNING);
    expect(group.log.prevTerm).toBe(0);
    expect(textOf(group.log)).toEqual(["1/1 entry 1 of 1", "2/2 entry 2 of 2"]);
  });

  test("whom the first voters of a group have met, until it is created; whoever was given up", async () => {
    const directory = await tempDir();
    const first = await open(directory);
    const member = (disk: number) => ({ name: `n${disk}`, disk });
    const founding = { replica: 2, members: new Map([[2, member(12)]]) };
    const later = { replica: 2, members: new Map([...founding.members, [1, member(11)]]) };
    await first.found(3, founding);
    await first.found(3, later);
    await first.found(4, founding);
    await first.create(4, 2, BEGINNING);
    await first.create(5, 7, BEGINNING);
    await first.remove(5);
    await fillSegments(first, 4);
    const present = () => readdir(directory);
    await waitFor(async () => !(await present()).includes("wal-0000000000000001.seg"));
    await first.stop();
    const second = await open(directory);
    expect([...second.foundings]).toEqual([[3, later]]);
    expect([...second.givenUp]).toEqual([[5, 7]]);
    expect([...second.groups.keys()]).toEqual([4]);
  });

  test("entries replace what there was from their first index on", async () => {
    const directory = await tempDir();
    const storage = await open(directory);
    await storage.create(0, 1, BEGINNING);
    await write(storage, { entries: entries(1, 5, 1) });
    await write(storage, { entries: entries(3, 4, 2) });
    await storage.stop();
    const { log } = (await open(directory)).groups.get(0) as RecoveredGroup;
    expect(textOf(log).map((text) => text.slice(0, 3))).toEqual(["1/1", "2/1", "3/2", "4/2"]);
  });

  test("an installed snapshot, and the log that begins behind it", async () => {
    const directory = await tempDir();
    const storage = await open(directory);
    await storage.create(0, 1, BEGINNING);
    await write(storage, { entries: entries(1, 5, 1) });
    const writer = await storage.snapshots.create(0, meta(20, 3));
    await writer.write(Buffer.from("the state"));
    await writer.finish();
    await write(storage, { snapshot: meta(20, 3), entries: [entry(21, 3)] });
    await storage.stop();
    const { log } = (await open(directory)).groups.get(0) as RecoveredGroup;
    expect(log.snapshot).toEqual(meta(20, 3));
    expect(log.hardState.commit).toBe(20);
    expect([log.prevTerm, ...textOf(log)]).toEqual([3, "21/3 entry 21 of 3"]);
  });

  test("a group that was removed is not, and may be made again", async () => {
    const directory = await tempDir();
    const storage = await open(directory);
    await storage.create(0, 1, BEGINNING);
    await write(storage, { entries: entries(1, 5, 1) });
    await storage.remove(0);
    expect(() => storage.write(groupWrite({}), () => {})).toThrow(/no group 0/);
    await storage.create(0, 4, BEGINNING);
    await storage.stop();
    const { log, replica } = (await open(directory)).groups.get(0) as RecoveredGroup;
    expect({ replica, entries: log.entries }).toEqual({ replica: 4, entries: [] });
  });
});

describe("segments", () => {
  test("follow each other, and are used again when nothing in them is needed", async () => {
    const directory = await tempDir();
    let storage = await open(directory);
    await storage.create(0, 1, BEGINNING);
    let next = 1;
    const fill = async (count: number): Promise<void> => {
      for (const end = next + count; next < end; next++) {
        await write(storage, { entries: [entry(next, 1, `${next} ${"x".repeat(200)}`)] });
      }
    };
    for (let round = 0; round < 4; round++) {
      await fill(60);
      const snapshot = await storage.snapshots.create(0, meta(next - 1, 1));
      await snapshot.finish();
      storage.compact(0, next - 11);
      await fill(20);
      await waitFor(async () => {
        const names = await readdir(directory);
        return names.filter((name) => name.startsWith("wal")).length <= 6;
      });
      await storage.stop();
      storage = await open(directory);
      const { log } = storage.groups.get(0) as RecoveredGroup;
      expect(log.entries.map(({ index }) => index)).toEqual(
        Array.from({ length: 30 }, (_, i) => next - 30 + i),
      );
    }
  });

  test("a quiet group does not hold old ones for ever: what it needs is copied forward", async () => {
    const directory = await tempDir();
    const storage = await open(directory);
    await storage.create(0, 1, BEGINNING);
    await storage.create(1, 1, BEGINNING);
    await write(storage, { group: 1, entries: [...entries(1, 2, 1), ...entries(3, 4, 2)] });
    for (let index = 1; index <= 400; index++) {
      await write(storage, { entries: [entry(index, 1, `${index} ${"x".repeat(200)}`)] });
      if (index % 50 === 0) {
        await (await storage.snapshots.create(0, meta(index, 1))).finish();
        storage.compact(0, index);
      }
    }
    const segments = async () => {
      const names = await readdir(directory);
      return names.filter((name) => name.startsWith("wal")).sort();
    };
    await waitFor(async () => (await segments()).length <= 7);
    expect((await segments())[0]).not.toBe("wal-0000000000000001.seg");
    await storage.stop();
    const { log } = (await open(directory)).groups.get(1) as RecoveredGroup;
    expect(textOf(log)).toEqual([
      "1/1 entry 1 of 1",
      "2/1 entry 2 of 1",
      "3/2 entry 3 of 2",
      "4/2 entry 4 of 2",
    ]);
  });
});
