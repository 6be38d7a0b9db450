import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Harness, openRequest } from "../test/harness.ts";

const CHILD = fileURLToPath(new URL("../test/kill-child.ts", import.meta.url));

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
  return output.split("\n").slice(0, -1);
}

test("after kill -9 every acknowledged session is there, once, in the order in which they came", async () => {
  const directory = await tempDir();
  let highest = 0;
  for (let round = 0; round < 8; round++) {
    const acknowledged = await run(directory, 1 + round * round * 100);
    // None was there before: what a crash cut off did not come back, and what was there was counted.
    expect(acknowledged.filter((line) => !line.endsWith(" false"))).toEqual([]);
    highest = Math.max(highest, ...acknowledged.map((line) => Number.parseInt(line, 10)));
  }
  const h = await Harness.start({ directory });
  const { sessions } = h.service.counts;
  expect(sessions).toBeGreaterThanOrEqual(highest);
  const gateway = await h.attach();
  const opened = await Promise.all(
    Array.from({ length: sessions }, (_, i) =>
      h.sessions.open(openRequest(gateway, { clientId: `client-${i + 1}` })),
    ),
  );
  expect(opened.map(({ incarnation }) => incarnation)).toEqual(opened.map((_, i) => i + 1));
}, 60_000);
