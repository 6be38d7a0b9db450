import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ShardStore, storedBody } from "@canopy/store";
import { appendOf } from "@canopy/store/contract";
import { ClassicLevel } from "classic-level";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type LevelStore, openLevelStore } from "../src/index.ts";
import { temporaryFolder } from "./harness.ts";

const ALL = { messages: 1_000_000, bytes: 2 ** 40 };
const EIO = "IO error: 000003.log: Input/output error";
const ENOSPC = "IO error: 000003.log: No space left on device";

let folder = "";
let store: LevelStore;
beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openLevelStore({ folder });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function bodies(shard: ShardStore): Promise<string[]> {
  const { messages } = await shard.read([{ queue: "q", after: 0 }], ALL);
  return messages.map((message) => storedBody(message).toString());
}

const one = (first: number, body: string) => appendOf(first, [{ body, queues: ["q"] }]);

/** The next `times` writes report this failure, though they may have been done. */
function failWrites(message: string, times: number, isDone: boolean): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
  const write = ClassicLevel.prototype.batch as (...args: unknown[]) => Promise<void>;
  let left = times;
  vi.spyOn(ClassicLevel.prototype, "batch").mockImplementation(async function (
    this: ClassicLevel,
    ...args: unknown[]
  ) {
    if (left <= 0 || isDone) await write.apply(this, args);
    if (left-- > 0) throw Object.assign(new Error(message), { code: "LEVEL_IO_ERROR" });
  } as never);
}

describe.each([
  { code: "unavailable", message: EIO },
  { code: "full", message: ENOSPC },
])("a write that fails with $code", ({ code, message }) => {
  test.each([true, false])("is not there afterwards; reached the disk: %s", async (isDone) => {
    const shard = await store.open(0, 1);
    const first = 2 ** 32 + 1;
    await shard.append(one(first, "before"));
    failWrites(message, 1, isDone);
    const failed = shard.append(one(first + 1, "refused"));
    const after = shard.append(one(first + 2, "behind it"));
    await expect(failed).rejects.toMatchObject({ code });
    await expect(after).rejects.toMatchObject({ code });
    expect(await bodies(shard)).toEqual(["before"]);
    await store.abandon();
    store = await openLevelStore({ folder });
    const again = await store.open(0, 2);
    expect(await bodies(again)).toEqual(["before"]);
    expect(again.head).toBe(first);
  });

  test("can be repeated, with the same or another content", async () => {
    const shard = await store.open(0, 1);
    const first = 2 ** 32 + 1;
    failWrites(message, 1, true);
    await expect(shard.append(one(first, "x"))).rejects.toMatchObject({ code });
    await shard.append(one(first, "y"));
    await shard.append(one(first + 1, "z"));
    expect(await bodies(shard)).toEqual(["y", "z"]);
    await store.close();
    store = await openLevelStore({ folder });
    expect(await bodies(await store.open(0, 2))).toEqual(["y", "z"]);
  });
});

test("shards that wrote nothing in a failed write go on", async () => {
  const [a, b] = [await store.open(0, 1), await store.open(1, 1)];
  failWrites(EIO, 1, false);
  await expect(a.append(one(2 ** 32 + 1, "a"))).rejects.toMatchObject({ code: "unavailable" });
  await b.append(one(2 ** 32 + 1, "b"));
  expect(await bodies(b)).toEqual(["b"]);
});

test("while nobody knows whether a write survived, it is not answered", async () => {
  const shard = await store.open(0, 1);
  // The repair's own write fails once too.
  failWrites(EIO, 2, true);
  let settled = false;
  const failure = shard
    .append(one(2 ** 32 + 1, "x"))
    .catch((error: unknown) => error)
    .finally(() => (settled = true));
  await sleep(300);
  expect(settled).toBe(false);
  expect(await failure).toMatchObject({ code: "unavailable" });
  expect(await bodies(shard)).toEqual([]);
  await shard.append(one(2 ** 32 + 1, "y"));
});

test("a close in the middle of repairs ends", async () => {
  const shard = await store.open(0, 1);
  failWrites(EIO, 1000, false);
  const failure = shard.append(one(2 ** 32 + 1, "x")).catch((error: unknown) => error);
  await sleep(50);
  await store.close();
  expect(await failure).toMatchObject({ code: "unavailable" });
});

test("a second store on the same folder is told that it is in use", async () => {
  await expect(openLevelStore({ folder })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("in use by another process") as string,
  });
  const script = `
    import { openLevelStore } from ${JSON.stringify(`${import.meta.dirname}/../src/index.ts`)};
    try { await openLevelStore({ folder: ${JSON.stringify(folder)} }); }
    catch (error) { console.log(error.code, error.message); }`;
  const args = ["--conditions=source", "--input-type=module", "-e", script];
  expect(execFileSync(process.execPath, args).toString()).toMatch(
    /^unavailable .*in use by another process/,
  );
});

test("another version of the format is refused, naming both", async () => {
  await store.close();
  const level = new ClassicLevel(folder);
  await level.put("canopy-store", "7");
  await level.close();
  await expect(openLevelStore({ folder })).rejects.toMatchObject({
    message: expect.stringMatching(/version 7.*version 1/) as string,
  });
  await level.open();
  await level.put("canopy-store", "1");
  await level.close();
  store = await openLevelStore({ folder });
});

test("a folder with somebody else's database is refused", async () => {
  await store.close();
  await rm(folder, { recursive: true });
  const level = new ClassicLevel(folder);
  await level.put("a", "b");
  await level.close();
  await expect(openLevelStore({ folder })).rejects.toMatchObject({ code: "corrupt" });
});

test("a record that is missing in the middle is noticed at opening", async () => {
  const shard = await store.open(0, 1);
  for (let i = 1; i <= 3; i++) await shard.append(one(2 ** 32 + i, `${i}`));
  await store.close();
  const level = new ClassicLevel<Buffer, Buffer>(folder, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  const record = Buffer.from("r\0\0\0\0\0\0\0\0", "latin1");
  record.writeUInt32BE(1, 1);
  record.writeUInt32BE(1, 5);
  expect(await level.get(record)).toBeDefined();
  await level.del(record);
  await level.close();
  store = await openLevelStore({ folder });
  await expect(store.open(0, 2)).rejects.toMatchObject({ code: "corrupt" });
});
