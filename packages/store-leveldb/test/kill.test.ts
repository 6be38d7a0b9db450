import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { storedBody } from "@canopy/store";
import { expect, test } from "vitest";
import { openLevelStore } from "../src/index.ts";
import { temporaryFolder } from "./harness.ts";

const ROUNDS = 10;
const ALL = { messages: 1_000_000, bytes: 2 ** 40 };

/** Runs the child for a while, kills it, and returns what it acknowledged. */
async function runAndKill(folder: string, segmentBytes: number): Promise<number[]> {
  const script = fileURLToPath(new URL("./kill-child.ts", import.meta.url));
  const args = ["--conditions=source", script, folder, `${segmentBytes}`];
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  await once(child.stdout, "data");
  await sleep(Math.random() * 150);
  child.kill("SIGKILL");
  await once(child, "close");
  return output.split("\n").slice(0, -1).map(Number);
}

test("what was acknowledged is there after kill -9 at any moment", async () => {
  const folder = await temporaryFolder();
  const acknowledged: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      acknowledged.push(...(await runAndKill(folder, round % 2 === 0 ? 10_000 : 2 ** 24)));
      const store = await openLevelStore({ folder });
      const shard = await store.open(0, (await store.epoch(0)) + 1);
      const { messages } = await shard.read([{ queue: "q", after: 0 }], ALL);
      const offsets = new Set(messages.map(({ offset }) => offset));
      expect(acknowledged.filter((offset) => !offsets.has(offset))).toEqual([]);
      for (const message of messages) {
        const { offset } = message;
        expect(storedBody(message).toString()).toBe(`${offset}`.padEnd(20 + (offset % 300), "."));
      }
      // Everything of one append or nothing: what is not acknowledged may be there, but whole.
      const last = messages.at(-1)?.offset ?? 0;
      expect(shard.head).toBe(last);
      expect(shard.sender("g1")?.seq).toBe(last);
      expect(shard.hasReceipt(1, (last % 100) + 1)).toBe(true);
      expect((await shard.retainedValue(`t/${last % 10}`))?.offset).toBe(last);
      expect(Buffer.from((await shard.progress("$share/g/x")) ?? []).toString()).toMatch(`${last}`);
      const third = await shard.read([{ queue: "third", after: 0 }], ALL);
      expect(third.messages.map(({ offset }) => offset)).toEqual(
        [...offsets].filter((offset) => offset % 3 === 0),
      );
      await store.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  expect(acknowledged.length).toBeGreaterThan(ROUNDS);
}, 120_000);
