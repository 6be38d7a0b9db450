import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "../options.ts";
import { readSeries } from "./read.ts";
import type { Series } from "./series.ts";
import { growthSvg } from "./svg.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "canopy-growth-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

const series = (name: string, message: number): Series => ({
  name,
  title: `growth of ${name}`,
  of: "messages",
  figures: [{ name: "message", unit: "µs" }],
  points: [{ size: 1000, figures: { message } }],
  faults: "",
});

async function put(name: string, content: unknown): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, JSON.stringify(content));
  return file;
}

test("several runs are put together, the later counts, and the order is that of one run", async () => {
  const one = await put("one.json", { results: [series("retained", 1), series("idle", 2)] });
  const two = await put("two.json", { results: [series("exact", 3), series("retained", 4)] });
  const all = await readSeries([one, two]);
  expect(all).toEqual([series("idle", 2), series("exact", 3), series("retained", 4)]);
  expect(growthSvg(all).match(/<g /g)).toHaveLength(3);
});

test("a figure that was not a number is a gap", async () => {
  const file = await put("gap.json", { results: [series("idle", Number.NaN)] });
  expect((await readSeries([file]))[0]?.points).toEqual([{ size: 1000, figures: {} }]);
});

test.each([[{ results: [] }], [{ results: [{ broker: "canopy" }] }], [[]], [null]])(
  "%j is refused",
  async (content) => {
    const file = await put("wrong.json", content);
    await expect(readSeries([file])).rejects.toThrow(UsageError);
  },
);

test("a file that is not there, or is no JSON, is refused", async () => {
  await expect(readSeries([join(folder, "no.json")])).rejects.toThrow(UsageError);
  await writeFile(join(folder, "text.json"), "no");
  await expect(readSeries([join(folder, "text.json")])).rejects.toThrow(UsageError);
});
