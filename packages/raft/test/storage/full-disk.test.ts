import { join } from "node:path";
import { SmallDisk, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { BEGINNING, entry, groupWrite, meta, open } from "./harness.ts";

const SIZE = 4 * 1024 * 1024;

test("a full disk: everything given is kept and written when there is room; a start in between works", async (context) => {
  if (!SmallDisk.canMount()) return context.skip("a tmpfs can't be mounted");
  const disk = await SmallDisk.mount(SIZE);
  const directory = join(disk.path, "raft");
  const options = { segmentBytes: 128 * 1024 };
  let storage = await open(directory, options);
  await storage.create(0, 1, BEGINNING);
  let given = 0;
  let done = 0;
  let lost = 0;
  const give = () => {
    given++;
    const parts = { entries: [entry(given, 1, `${given} ${"x".repeat(3_000)}`)] };
    storage.write(groupWrite(parts), () => done++);
  };
  for (let round = 0; round < 4; round++) {
    await disk.fill(10_000 + round * 50_000);
    await waitFor(() => {
      // What is allocated already is filled first.
      for (let i = 0; i < 30; i++) give();
      return storage.failing !== undefined;
    });
    expect(storage.failing?.message).toMatch(/ENOSPC/);
    const saved = storage.snapshots.create(0, meta(done, 1)).then(async (writer) => {
      for (let i = 0; i < 100; i++) await writer.write(Buffer.alloc(10_000));
    });
    await expect(saved).rejects.toThrow(/ENOSPC/);
    if (round === 2) {
      await storage.stop();
      storage = await open(directory, options);
      const { log } = storage.groups.get(0)!;
      lost = Math.max(0, done - (log.entries.at(-1)?.index ?? 0));
      given = done = log.entries.at(-1)?.index ?? 0;
      give();
    }
    await disk.makeRoom();
    await waitFor(() => done === given);
    expect(lost).toBe(0);
    expect(storage.failing).toBeUndefined();
    const writer = await storage.snapshots.create(0, meta(done, 1));
    await writer.finish();
    await storage.snapshots.prune(0, done);
    storage.compact(0, done - 1);
  }
  await storage.stop();
  storage = await open(directory, options);
  const { log } = storage.groups.get(0)!;
  expect(log.entries.at(-1)?.index).toBe(given);
}, 30_000);
