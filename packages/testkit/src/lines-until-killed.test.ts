import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesUntilKilled } from "./lines-until-killed.ts";
import { tempDir } from "./temp-dir.ts";

async function scriptOf(text: string): Promise<string> {
  const path = join(await tempDir(), "script.mjs");
  await writeFile(path, text);
  return path;
}

test("whole lines, at least so many, and not the one that was cut", async () => {
  const script = await scriptOf(`
    process.stdout.write(process.argv[2] + "\\nb\\nc\\nhal");
    setInterval(() => {}, 1000);
  `);
  expect(await linesUntilKilled(script, ["a"], 3)).toEqual(["a", "b", "c"]);
});

test("one that ends before it is killed has failed", async () => {
  const script = await scriptOf("console.log('a'); process.exitCode = 3;");
  await expect(linesUntilKilled(script, [], 2)).rejects.toThrow("was not killed: it ended by 3");
});
