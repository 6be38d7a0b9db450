import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { appendOf } from "@canopy/store/contract";
import { tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";
import { openLevelStore } from "../src/index.ts";

test("data without its CURRENT is refused, not begun anew", async () => {
  const folder = await tempDir();
  const store = await openLevelStore({ folder, reserveBytes: 0 });
  const shard = await store.open(0, 1);
  await shard.append(appendOf(2 ** 32 + 1, [{ body: "kept", queues: ["q"] }]));
  await store.close();
  await rm(join(folder, "CURRENT"));
  await expect(openLevelStore({ folder })).rejects.toMatchObject({
    code: "corrupt",
    message: expect.stringContaining("CURRENT is missing"),
  });
});

test("a beginning that was cut off before there was data is begun again", async () => {
  const folder = await tempDir();
  await writeFile(join(folder, "MANIFEST-000001"), "");
  const store = await openLevelStore({ folder, reserveBytes: 0 });
  await store.close();
  expect(await store.epoch(0).catch((error: { code: string }) => error.code)).toBe("closed");
});
