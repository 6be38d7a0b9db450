import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@canopy/testkit";
import { describe, expect, test, vi } from "vitest";
import { contentOf, openLog, propose } from "../../test/log-harness.ts";
import { LogError } from "./damage.ts";
import { FRAME_HEADER_BYTES } from "./frame.ts";
import { HEADER_BYTES } from "./header.ts";
import type { Durability } from "./log.ts";

// Thousands of starts from real files.
vi.setConfig({ testTimeout: 30_000 });

const COMMANDS = ["first command", "second", "a third one", "and the last"];

/** A closed log with one frame per command, and where each frame ends. */
async function written(durability: Durability = "sync") {
  const directory = await tempDir();
  const { log } = await openLog(directory, { durability });
  const ends: number[] = [];
  let end = HEADER_BYTES;
  for (const text of COMMANDS) {
    await propose(log, text);
    end += FRAME_HEADER_BYTES + 4 + text.length;
    ends.push(end);
  }
  await log.close();
  const file = join(directory, (await readdir(directory))[0]!);
  return { directory, file, ends, bytes: await readFile(file) };
}

async function outcome(directory: string): Promise<readonly string[] | LogError> {
  try {
    return await contentOf(directory);
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
}

describe("a log that was cut", () => {
  test("at any byte has every whole command before it, and goes on from there", async () => {
    const { directory, file, ends, bytes } = await written();
    expect(bytes.length).toBe(ends.at(-1));
    for (let size = HEADER_BYTES; size <= bytes.length; size++) {
      await writeFile(file, bytes.subarray(0, size));
      const whole = COMMANDS.slice(0, ends.filter((end) => end <= size).length);
      const { log, recorder } = await openLog(directory);
      expect(recorder.commands).toEqual(whole);
      await propose(log, "goes on");
      await log.close();
      expect(await contentOf(directory)).toEqual([...whole, "goes on"]);
    }
  });

  test("within its header is refused: that was on disk before the file had its name", async () => {
    const { directory, file, bytes } = await written();
    for (let size = 0; size < HEADER_BYTES; size++) {
      await writeFile(file, bytes.subarray(0, size));
      await expect(openLog(directory)).rejects.toMatchObject({ code: "damaged", file, offset: 0 });
    }
  });

  test("and has anything else behind is like one that was cut", async () => {
    const { directory, file, ends, bytes } = await written();
    for (const garbage of [
      Buffer.alloc(5_000),
      Buffer.alloc(5_000, 0xff),
      bytes,
      bytes.subarray(40),
    ]) {
      await writeFile(file, Buffer.concat([bytes.subarray(0, ends[1]), garbage]));
      expect((await outcome(directory)).toString()).toMatch(/^first command,second$|damaged|good/);
    }
  });
});

describe("a log with a flipped bit", () => {
  test("anywhere before the last frame is refused by file and offset", async () => {
    const { directory, file, ends, bytes } = await written();
    const starts = [0, HEADER_BYTES, ...ends];
    for (let bit = 0; bit < (ends.at(-2) as number) * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(file, damaged);
      const error = await outcome(directory);
      expect(error).toBeInstanceOf(LogError);
      const from = starts.findLast((start) => start <= bit >> 3);
      // A version that this program does not know is told by its own place.
      const offset = (error as LogError).code === "newer" ? 8 : from;
      expect(error).toMatchObject({ file, offset });
      expect((error as LogError).message).toContain(file);
    }
  });

  test("in the last frame ends before it: a torn write looks the same", async () => {
    const { directory, file, ends, bytes } = await written();
    for (let bit = (ends.at(-2) as number) * 8; bit < bytes.length * 8; bit += 3) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(file, damaged);
      expect(await outcome(directory)).toEqual(COMMANDS.slice(0, -1));
    }
  });

  test("in a file that others follow is refused, wherever it is", async () => {
    const directory = await tempDir();
    const { log } = await openLog(directory, { segmentBytes: 100 });
    for (const text of COMMANDS) await propose(log, text);
    await log.close();
    const file = join(directory, (await readdir(directory)).sort()[0]!);
    const bytes = await readFile(file);
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(file, damaged);
      expect(await outcome(directory)).toMatchObject({ file });
    }
    await writeFile(file, bytes.subarray(0, -1));
    expect(await outcome(directory)).toMatchObject({ code: "damaged", file });
  });

  test("or lost pages are a torn tail where nothing had been synced", async () => {
    const { directory, file, ends, bytes } = await written("os");
    bytes.fill(0, ends[0], (ends[0] as number) + 10);
    await writeFile(file, bytes);
    expect(await outcome(directory)).toEqual(["first command"]);
  });
});

describe("a snapshot file", () => {
  test("that is damaged or cut is refused", async () => {
    const directory = await tempDir();
    const { log } = await openLog(directory, { snapshotEvery: 100 });
    for (const text of COMMANDS) await propose(log, text);
    const snapshots = async () =>
      (await readdir(directory)).filter((name) => name.endsWith(".snap"));
    while ((await snapshots()).length === 0) await propose(log, "more");
    await log.close();
    const file = join(directory, (await snapshots())[0]!);
    const bytes = await readFile(file);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(file, damaged);
      expect(await outcome(directory)).toMatchObject({ file });
    }
    for (let size = 0; size < bytes.length; size++) {
      await writeFile(file, bytes.subarray(0, size));
      expect(await outcome(directory)).toMatchObject({ code: "damaged", file });
    }
  });
});

describe("a command that the state machine can't read", () => {
  test("is not started from", async () => {
    const { directory, file } = await written();
    const { log } = await openLog(directory);
    log.propose(Buffer.from("fine")).catch(() => {});
    await log.close();
    const bytes = await readFile(file);
    expect(bytes.includes("fine")).toBe(true);
    const { Recorder } = await import("../../test/recorder.ts");
    class Strict extends Recorder {
      override apply(command: Uint8Array): unknown {
        if (Buffer.from(command).toString() === "fine") throw new Error("a newer command");
        return super.apply(command);
      }
    }
    await expect(openLog(directory, { machine: new Strict() })).rejects.toThrow(/a newer command/);
  });
});
