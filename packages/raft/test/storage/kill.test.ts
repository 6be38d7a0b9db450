import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { linesUntilKilled, tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";
import { StorageError } from "../../src/index.ts";
import { open } from "./harness.ts";

const CHILD = fileURLToPath(new URL("kill-child.ts", import.meta.url));

/** The last index of each group that the child acknowledged before it was killed. */
async function run(directory: string, count: number): Promise<number[]> {
  const last = [0, 0];
  for (const line of await linesUntilKilled(CHILD, [directory], count)) {
    const [group, index] = line.split(" ").map(Number) as [number, number];
    last[group] = index;
  }
  return last;
}

test("after kill -9 everything acknowledged is there, in order, once", async () => {
  const directory = await tempDir();
  for (let round = 0; round < 6; round++) {
    const acknowledged = await run(directory, 1 + round * round * 100);
    const storage = await open(directory, { segmentBytes: 16 * 1024 });
    for (const group of [0, 1]) {
      const { log } = storage.groups.get(group)!;
      const first = log.entries[0]?.index ?? 1;
      expect(log.entries.map(({ index }) => index)).toEqual(log.entries.map((_, i) => first + i));
      for (const { index, data } of log.entries) {
        expect(data.toString()).toBe(`${index} ${"x".repeat(100)}`);
      }
      expect(log.snapshot.index).toBeGreaterThanOrEqual(first - 1);
      expect(log.entries.at(-1)?.index ?? 0).toBeGreaterThanOrEqual(acknowledged[group]!);
    }
    await storage.stop();
  }
}, 60_000);

test("two storages in one folder: the second is refused, until the first has stopped", async () => {
  const directory = await tempDir();
  const first = await open(directory);
  const refused = open(directory);
  await expect(refused).rejects.toThrow(StorageError);
  await expect(refused).rejects.toThrow(/in use by another process/);
  await first.stop();
  await (await open(directory)).stop();
  expect(await readdir(directory)).toContain("lock");
});
