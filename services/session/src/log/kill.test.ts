import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";
import { contentOf } from "../../test/log-harness.ts";

const CHILD = fileURLToPath(new URL("../../test/kill-child.ts", import.meta.url));

/** Runs the child and kills it when it has acknowledged so many. Returns what it has acknowledged. */
async function run(directory: string, count: number): Promise<string[]> {
  const child = spawn(process.execPath, ["--conditions=source", CHILD, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let output = "";
  let lines = 0;
  for await (const chunk of child.stdout.setEncoding("latin1")) {
    const text = chunk as string;
    output += text;
    lines += text.split("\n").length - 1;
    if (lines >= count) child.kill("SIGKILL");
  }
  const [code, signal] = (await closed) as [number | null, string | null];
  expect({ code, signal }).toEqual({ code: null, signal: "SIGKILL" });
  // The last line may have been cut by the kill.
  return output.slice(0, output.lastIndexOf("\n")).split("\n");
}

test("after kill -9 every acknowledged command is there, in order, once", async () => {
  const directory = await tempDir();
  for (let round = 0; round < 8; round++) {
    const acknowledged = await run(directory, 1 + round * round * 200);
    const numbers = (await contentOf(directory)).map(Number);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    expect(numbers.length).toBeGreaterThanOrEqual(Math.max(...acknowledged.map(Number)));
  }
}, 60_000);
