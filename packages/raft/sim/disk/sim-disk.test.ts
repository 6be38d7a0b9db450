import { describe, expect, test } from "vitest";
import { Dice } from "../dice.ts";
import { SimDisk } from "./sim-disk.ts";

/** Answers at once, in the order of the questions. */
function attach(seed: number) {
  const life = {
    alive: true,
    later: (_: number, __: string, run: () => void) => queueMicrotask(run),
  };
  const sim = new SimDisk(new Dice(seed), { operation: 1, sync: 1, sector: 4 }, () => 0);
  return { sim, disk: sim.attach(life) };
}

async function content(sim: SimDisk, path: string): Promise<string | undefined> {
  const life = {
    alive: true,
    later: (_: number, __: string, run: () => void) => queueMicrotask(run),
  };
  const file = await sim
    .attach(life)
    .open(path)
    .catch(() => undefined);
  return file && (await file.read(0, 100)).toString("latin1");
}

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);

describe("a simulated disk", () => {
  test("keeps what was synced, with its name", async () => {
    for (const seed of SEEDS) {
      const { sim, disk } = attach(seed);
      await disk.makeDirectory("/a");
      const file = await disk.create("/a/x");
      await file.write(Buffer.from("abcdefgh"), 0);
      await file.sync();
      await disk.syncDirectory("/a");
      sim.crash();
      expect(await content(sim, "/a/x")).toBe("abcdefgh");
    }
  });

  test("loses any sectors of what was not", async () => {
    const seen = new Set<string | undefined>();
    for (const seed of SEEDS) {
      const { sim, disk } = attach(seed);
      await disk.makeDirectory("/a");
      const file = await disk.create("/a/x");
      await file.write(Buffer.from("........"), 0);
      await file.sync();
      await disk.syncDirectory("/a");
      await file.write(Buffer.from("abcdefgh"), 0);
      sim.crash();
      seen.add(await content(sim, "/a/x"));
    }
    expect(seen).toEqual(new Set(["........", "....efgh", "abcd....", "abcdefgh"]));
  });

  test("undoes a rename that was not synced, or does not", async () => {
    const seen = new Set<string>();
    for (const seed of SEEDS) {
      const { sim, disk } = attach(seed);
      await disk.makeDirectory("/a");
      const file = await disk.create("/a/x");
      await file.sync();
      await disk.syncDirectory("/a");
      await disk.rename("/a/x", "/a/y");
      sim.crash();
      const names = await Promise.all(["x", "y"].map((name) => content(sim, `/a/${name}`)));
      seen.add(names.map((found) => (found === undefined ? "-" : "+")).join(""));
    }
    expect(seen).toEqual(new Set(["+-", "-+"]));
  });

  test("after a failed sync, a later one does not bring what is missing", async () => {
    const seen = new Set<string | undefined>();
    for (const seed of SEEDS) {
      const { sim, disk } = attach(seed);
      await disk.makeDirectory("/a");
      const file = await disk.create("/a/x");
      await file.write(Buffer.from("...."), 0);
      await file.sync();
      await disk.syncDirectory("/a");
      await file.write(Buffer.from("abcd"), 0);
      sim.trouble.syncError = 1;
      await expect(file.sync()).rejects.toThrow("EIO");
      sim.trouble.syncError = 0;
      await file.sync();
      sim.crash();
      seen.add(await content(sim, "/a/x"));
    }
    expect(seen).toEqual(new Set(["....", "abcd"]));
  });

  test("is full", async () => {
    const { sim, disk } = attach(1);
    await disk.makeDirectory("/a");
    const file = await disk.create("/a/x");
    sim.trouble.capacity = 6;
    await file.write(Buffer.from("abcd"), 0);
    await expect(file.write(Buffer.from("efgh"), 4)).rejects.toThrow("ENOSPC");
    expect((await file.read(0, 100)).toString()).toBe("abcdef");
    await file.write(Buffer.from("AB"), 0);
  });
});
