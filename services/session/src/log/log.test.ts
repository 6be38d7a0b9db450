import { readdir, stat, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pick, randomBool, randomInt, seededRandom } from "@canopy/base";
import { tempDir, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { FaultyDisk } from "../../test/faulty-disk.ts";
import { memoryLogger } from "../../test/harness.ts";
import { contentOf, openLog, propose } from "../../test/log-harness.ts";
import { nodeDisk } from "./disk.ts";
import { HEADER_BYTES } from "./header.ts";

const unavailable = expect.objectContaining({ code: "unavailable" });

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `command ${from + i}`);
}

describe("a log", () => {
  test("answers with the state machine's results, in order, and has everything after a restart", async () => {
    const directory = await tempDir();
    const { log, recorder } = await openLog(directory);
    const results = await Promise.all(numbered(1, 50).map((text) => propose(log, text)));
    expect(results).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(await propose(log, "")).toBe(51);
    await log.close();
    expect(await contentOf(directory)).toEqual(recorder.commands);
  });

  test("commits what comes in one turn by one write and one sync", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const { log, recorder } = await openLog(directory, { disk });
    disk.counts.clear();
    await Promise.all(numbered(1, 1_000).map((text) => propose(log, text)));
    expect(recorder.batches).toBe(1);
    expect(Object.fromEntries(disk.counts)).toEqual({ write: 1, sync: 1 });
  });

  test("collects what comes while a write is on its way for the next one", async () => {
    const directory = await tempDir();
    const { log, recorder } = await openLog(directory);
    const first = propose(log, "first");
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([first, ...numbered(1, 100).map((text) => propose(log, text))]);
    expect(recorder.batches).toBe(2);
  });

  test("without syncs where the operating system's memory is enough", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const { log } = await openLog(directory, { disk, durability: "os" });
    disk.counts.clear();
    await propose(log, "one");
    expect(Object.fromEntries(disk.counts)).toEqual({ write: 1 });
  });

  test("goes over many files, and starts from them", async () => {
    const directory = await tempDir();
    const { log, recorder } = await openLog(directory, { segmentBytes: 500 });
    for (const text of numbered(1, 60)) await propose(log, text);
    await log.close();
    expect((await readdir(directory)).length).toBeGreaterThan(3);
    const again = await openLog(directory, { segmentBytes: 500 });
    expect(again.recorder.commands).toEqual(recorder.commands);
    expect(again.log.lastIndex).toBe(60);
  });

  test("takes large commands", async () => {
    const directory = await tempDir();
    const { log } = await openLog(directory);
    const large = "x".repeat(9_000_000);
    await Promise.all([propose(log, large), propose(log, "small"), propose(log, large)]);
    await log.close();
    expect((await contentOf(directory)).map(({ length }) => length)).toEqual([
      9_000_000, 5, 9_000_000,
    ]);
  });

  test("refuses more than may wait, and nothing of that is kept", async () => {
    const directory = await tempDir();
    const { log } = await openLog(directory, { maxWaiting: 10, maxWaitingBytes: 100 });
    const overloaded = expect.objectContaining({ code: "overloaded" });
    const outcomes = await Promise.allSettled([
      ...numbered(1, 12).map((text) => propose(log, text)),
      propose(log, "x".repeat(101)),
    ]);
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused.map(({ reason }) => reason)).toEqual(refused.map(() => overloaded));
    expect(await propose(log, "later")).toBe(outcomes.length - refused.length + 1);
  });

  test("is closed for proposals before its start and after its end", async () => {
    const closed = expect.objectContaining({ code: "closed" });
    const { log } = await openLog(await tempDir());
    const last = propose(log, "last");
    await log.close();
    expect(await last).toBe(1);
    await expect(propose(log, "too late")).rejects.toEqual(closed);
  });
});

describe("a snapshot", () => {
  test("takes the place of the files before it", async () => {
    const directory = await tempDir();
    const { log, recorder } = await openLog(directory, { snapshotEvery: 20_000 });
    for (let i = 0; i < 40; i++) {
      await Promise.all(numbered(i * 100, i * 100 + 99).map((text) => propose(log, text)));
    }
    await waitFor(async () => {
      const names = await readdir(directory);
      return names.filter((name) => name.startsWith("snapshot-")).length === 1 && names.length <= 3;
    });
    await log.close();
    expect(await contentOf(directory)).toEqual(recorder.commands);
  });

  test("that fails is tried again later, and the log goes on", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const { log, recorder } = await openLog(directory, { disk, snapshotEvery: 5_000 });
    disk.before = (operation, path) => {
      if (operation === "write" && path.includes("snapshot-")) throw new Error("ENOSPC");
    };
    for (let i = 0; i < 10; i++) {
      await Promise.all(numbered(i * 100, i * 100 + 99).map((text) => propose(log, text)));
    }
    expect((await readdir(directory)).some((name) => name.endsWith(".snap"))).toBe(false);
    disk.heal();
    for (let i = 10; i < 20; i++) {
      await Promise.all(numbered(i * 100, i * 100 + 99).map((text) => propose(log, text)));
    }
    await waitFor(async () => (await readdir(directory)).some((name) => name.endsWith(".snap")));
    await log.close();
    expect(await contentOf(directory)).toEqual(recorder.commands);
  });

  test("under way when the log is closed is given up and gets no name", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const { log, recorder } = await openLog(directory, { disk, snapshotEvery: 100 });
    const slow = Promise.withResolvers<void>();
    disk.before = (_operation, path) => (path.includes("snapshot-") ? slow.promise : undefined);
    await Promise.all(numbered(1, 1_000).map((text) => propose(log, text)));
    await propose(log, "begins the snapshot");
    const closed = log.close();
    slow.resolve();
    await closed;
    const names = await readdir(directory);
    expect(names.filter((name) => !name.startsWith("log-"))).toEqual([]);
    expect(await contentOf(directory)).toEqual(recorder.commands);
  });

  test("a crash at any step of it loses nothing", async () => {
    for (let crashAt = 1; crashAt < 60; crashAt++) {
      const directory = await tempDir();
      const disk = new FaultyDisk();
      const { log, recorder } = await openLog(directory, { disk, snapshotEvery: 2_000 });
      let step = 0;
      const dead = () => {
        // From here on the process does nothing any more.
        if (++step >= crashAt) throw new Error("crashed");
      };
      disk.before = dead;
      for (let i = 0; i < 4; i++) {
        await Promise.allSettled(numbered(i * 50, i * 50 + 49).map((text) => propose(log, text)));
      }
      const acknowledged = recorder.commands.slice();
      await log.close().catch(() => {});
      disk.heal();
      expect((await contentOf(directory)).slice(0, acknowledged.length)).toEqual(acknowledged);
    }
  }, 30_000);
});

describe("a failing disk", () => {
  for (const operation of ["write", "sync"] as const) {
    test(`that can't ${operation} makes commands unavailable; none is applied or comes back`, async () => {
      const directory = await tempDir();
      const disk = new FaultyDisk();
      const { log, recorder } = await openLog(directory, { disk });
      await propose(log, "before");
      for (const part of [0, 1, 20, 40, 1_000_000]) {
        disk.partOfWrite = part;
        disk.fail(operation);
        await expect(propose(log, "lost")).rejects.toEqual(unavailable);
        expect(recorder.commands).not.toContain("lost");
        disk.heal();
      }
      await propose(log, "after");
      expect(recorder.commands).toEqual(["before", "after"]);
      await log.close();
      expect(await contentOf(directory)).toEqual(["before", "after"]);
    });
  }

  test("is told of once when it begins and once when it ends", async () => {
    const disk = new FaultyDisk();
    const logger = memoryLogger();
    const { log } = await openLog(await tempDir(), { disk, logger });
    disk.fail("write");
    for (const text of numbered(1, 5))
      await expect(propose(log, text)).rejects.toEqual(unavailable);
    disk.heal();
    for (const text of numbered(6, 9)) await propose(log, text);
    expect(logger.lines.slice(1).map(({ level, message }) => `${level}: ${message}`)).toEqual([
      "error: session log can't be written",
      "info: session log writes again",
    ]);
  });

  test("that can't be truncated either is written again only when it can", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const { log, recorder } = await openLog(directory, { disk });
    disk.partOfWrite = 1_000;
    disk.fail("sync", "truncate");
    const error = propose(log, "lost");
    await expect(error).rejects.toEqual(unavailable);
    await expect(error).rejects.toThrow("could not be taken back yet");
    disk.fail("truncate");
    await expect(propose(log, "refused")).rejects.toEqual(unavailable);
    disk.heal();
    await propose(log, "after");
    await log.close();
    expect(recorder.commands).toEqual(["after"]);
    expect(await contentOf(directory)).toEqual(["after"]);
  });

  test("that can't begin a file goes on in the one before", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const { log, recorder } = await openLog(directory, { disk, segmentBytes: 100 });
    disk.fail("create");
    for (const text of numbered(1, 20)) await propose(log, text);
    disk.fail("rename");
    for (const text of numbered(21, 30)) await propose(log, text);
    disk.fail("syncDirectory");
    for (const text of numbered(31, 40)) await propose(log, text);
    disk.heal();
    for (const text of numbered(41, 50)) await propose(log, text);
    await log.close();
    expect(await contentOf(directory)).toEqual(recorder.commands);
  });
});

describe("the next file", () => {
  test("is begun only when the one before is on the disk, also without syncs", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const options = { disk, segmentBytes: 100, durability: "os" } as const;
    const { log } = await openLog(directory, options);
    const seen: string[] = [];
    disk.before = (operation, path) => {
      seen.push(`${operation} ${basename(path).replace(/^log-0+|\.tmp$/g, "")}`);
    };
    for (const text of numbered(1, 3)) await propose(log, text);
    expect(seen).toEqual([
      "write 1.seg",
      "write 1.seg",
      "sync 1.seg",
      "create 3.seg",
      "write 3.seg",
      "sync 3.seg",
      "rename 3.seg",
      `syncDirectory ${basename(directory)}`,
      "write 3.seg",
    ]);
  });

  test("is not begun behind what a failed write has left", async () => {
    const directory = await tempDir();
    const disk = new FaultyDisk();
    const { log, recorder } = await openLog(directory, { disk, snapshotEvery: 1_000 });
    const slow = Promise.withResolvers<void>();
    const isSnapshot = (path: string) => path.includes("snapshot-");
    // A snapshot is under way until enough has collected for another one.
    disk.before = (_operation, path) => (isSnapshot(path) ? slow.promise : undefined);
    for (const text of numbered(1, 100)) await propose(log, text);
    disk.partOfWrite = 50;
    disk.before = (operation, path) => {
      if (isSnapshot(path)) return slow.promise;
      if (operation === "write" || operation === "truncate") throw new Error("EIO");
      return undefined;
    };
    await expect(propose(log, "lost")).rejects.toEqual(unavailable);
    slow.resolve();
    await waitFor(async () => (await readdir(directory)).some((name) => name.endsWith(".snap")));
    disk.heal();
    for (const text of numbered(101, 110)) await propose(log, text);
    const files = (await readdir(directory)).filter((name) => name.endsWith(".seg"));
    expect(files.length).toBeGreaterThan(0);
    await log.close();
    expect(recorder.commands).toEqual(numbered(1, 110));
    expect(await contentOf(directory)).toEqual(numbered(1, 110));
  });
});

test("whatever fails when, the log has exactly what it acknowledged", async () => {
  const operations = ["create", "write", "truncate", "sync", "syncDirectory", "rename"] as const;
  for (let seed = 1; seed <= 25; seed++) {
    const random = seededRandom(seed);
    const directory = await tempDir();
    const acknowledged: string[] = [];
    let number = 0;
    for (let life = 0; life < 4; life++) {
      const disk = new FaultyDisk();
      const options = { disk, segmentBytes: 400, snapshotEvery: 3_000 };
      const { log, recorder } = await openLog(directory, options);
      expect(recorder.commands).toEqual(acknowledged);
      for (let turn = 0; turn < 30; turn++) {
        disk.partOfWrite = randomInt(random, 100);
        if (randomBool(random, 0.3)) disk.fail(pick(random, operations), pick(random, operations));
        else disk.heal();
        const texts = Array.from({ length: randomInt(random, 6) }, () => `command ${++number}`);
        const outcomes = await Promise.allSettled(texts.map((text) => propose(log, text)));
        acknowledged.push(...texts.filter((_, i) => outcomes[i]?.status === "fulfilled"));
      }
      expect(recorder.commands).toEqual(acknowledged);
      disk.heal();
      await log.close();
    }
    expect(acknowledged.length).toBeGreaterThan(50);
  }
}, 30_000);

describe("a directory", () => {
  test("with what a crash has left is tidied up", async () => {
    const directory = await tempDir();
    const { log } = await openLog(directory);
    await propose(log, "one");
    await log.close();
    await writeFile(join(directory, "log-0000000000000009.seg.tmp"), "x");
    await writeFile(join(directory, "snapshot-0000000000000001.snap.tmp"), "x");
    await writeFile(join(directory, "notes.txt"), "not ours");
    expect(await contentOf(directory)).toEqual(["one"]);
    expect((await readdir(directory)).sort()).toEqual(["log-0000000000000001.seg", "notes.txt"]);
  });

  test("with an empty file at the end and a loss before it is refused", async () => {
    const directory = await tempDir();
    const { log } = await openLog(directory, { segmentBytes: 100 });
    for (const text of numbered(1, 3)) await propose(log, text);
    await log.close();
    const [first, second] = (await readdir(directory)).sort().map((name) => join(directory, name));
    await truncate(second!, HEADER_BYTES);
    expect(await contentOf(directory)).toEqual(numbered(1, 2));
    // The second file was begun when the first was on disk, so this was no torn write.
    await truncate(first!, (await stat(first!)).size - 1);
    await expect(openLog(directory)).rejects.toEqual(expect.objectContaining({ code: "missing" }));
  });

  test("from which a file is missing is refused", async () => {
    const directory = await tempDir();
    const { log } = await openLog(directory, { segmentBytes: 100 });
    for (const text of numbered(1, 20)) await propose(log, text);
    await log.close();
    const names = (await readdir(directory)).sort();
    await nodeDisk.remove(join(directory, names[1]!));
    await expect(openLog(directory)).rejects.toEqual(expect.objectContaining({ code: "missing" }));
    for (const name of names.slice(2)) await nodeDisk.remove(join(directory, name));
    await nodeDisk.rename(join(directory, names[0]!), join(directory, "log-0000000000000002.seg"));
    await expect(openLog(directory)).rejects.toEqual(expect.objectContaining({ code: "missing" }));
  });
});
