import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Harness, openRequest } from "../test/harness.ts";

/** Flips a bit of what was written in the middle of the first file with this ending. */
async function damage(directory: string, ending: string): Promise<string> {
  const all = await readdir(directory, { recursive: true });
  const name = all.filter((file) => file.endsWith(ending)).sort()[0];
  if (name === undefined) throw new Error(`no ${ending} in ${all.join(", ")}`);
  const file = join(directory, name);
  const bytes = await readFile(file);
  // Log files are longer than what is in them.
  const end = bytes.findLastIndex((byte) => byte !== 0);
  const middle = Math.floor(end / 2);
  bytes[middle] = (bytes[middle] as number) ^ 4;
  await writeFile(file, bytes);
  return file;
}

async function withSessions(snapshotEvery: number): Promise<Harness> {
  const directory = join(await tempDir(), "raft");
  const h = await Harness.start({ directory, durability: "sync", snapshotEvery });
  const gateway = await h.attach();
  for (let i = 0; i < 300; i++) {
    await h.sessions.open(openRequest(gateway, { clientId: `client-${i}` }));
  }
  await h.stop();
  return h;
}

test("a damaged log is not started from: the error names the file and what is wrong", async () => {
  const h = await withSessions(2 ** 40);
  const file = await damage(h.directory, ".seg");
  await expect(h.restart()).rejects.toMatchObject({ code: "damaged", file });
});

test("neither is a damaged snapshot", async () => {
  const h = await withSessions(5_000);
  const file = await damage(h.directory, ".snap");
  await expect(h.restart()).rejects.toMatchObject({ code: "damaged", file });
});
