import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { backgroundTimers } from "@canopy/base";
import { type ShardStore, storedBody } from "@canopy/store";
import { appendOf } from "@canopy/store/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LevelStore, type LevelStoreOptions, openLevelStore } from "../src/index.ts";
import { temporaryFolder } from "./harness.ts";

const MOUNT = "/bin/mount";
const UMOUNT = "/bin/umount";
const MIB = 2 ** 20;
const ALL = { messages: 1_000_000, bytes: 2 ** 40 };

function tryToMount(): string | undefined {
  try {
    execFileSync(MOUNT, ["-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"], { stdio: "pipe" });
    execFileSync(UMOUNT, ["/mnt"]);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const obstacle = tryToMount();
if (obstacle !== undefined) {
  const message = `the tests of a full disk need to mount a tmpfs: ${obstacle}`;
  if (process.env.CI === "true" && process.getuid?.() === 0) throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
}

/** Appends to a queue and knows what must be in it. */
class Writer {
  readonly shard: ShardStore;
  readonly queue: string;
  readonly stored: number[] = [];
  readonly refused: string[] = [];
  readonly #size: number;
  #next: number;

  constructor(shard: ShardStore, queue: string, size: number = 10_000) {
    this.#size = size;
    this.shard = shard;
    this.queue = queue;
    this.#next = Math.max(shard.head, shard.epoch * 2 ** 32) + 1;
  }

  /** One message; true if it was stored. A refused one's offset is given again. */
  async append(): Promise<boolean> {
    const first = this.#next;
    // Random: LevelDB compresses.
    const body = Buffer.concat([Buffer.from(`${first}.`), randomBytes(this.#size)]);
    try {
      await this.shard.append(appendOf(first, [{ body, queues: [this.queue], retain: "last" }]));
    } catch (error) {
      this.refused.push((error as { code: string }).code);
      return false;
    }
    this.stored.push(first);
    this.#next++;
    return true;
  }

  /** Tries for seconds. */
  async appendEventually(): Promise<void> {
    for (let i = 0; i < 100; i++) {
      if (await this.append()) return;
      await sleep(100);
    }
    throw new Error(`still refused: ${this.refused.at(-1)}`);
  }

  async check(shard: ShardStore = this.shard): Promise<void> {
    const { messages } = await shard.read([{ queue: this.queue, after: 0 }], ALL);
    assert.deepEqual(
      messages.map(({ offset }) => offset),
      this.stored,
    );
    for (const message of messages) {
      assert.ok(storedBody(message).toString("latin1").startsWith(`${message.offset}.`));
    }
    assert.equal((await shard.retainedValue("last"))?.offset, this.stored.at(-1));
  }
}

describe.skipIf(obstacle !== undefined)("a full disk", () => {
  let folder = "";
  let store: LevelStore;
  const open = (options: Partial<LevelStoreOptions>) =>
    openLevelStore({ folder: join(folder, "store"), cacheBytes: MIB, ...options });

  const mount = (size: string) =>
    execFileSync(MOUNT, ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]);
  const unmount = () => execFileSync(UMOUNT, [folder]);

  beforeEach(async () => {
    folder = await temporaryFolder();
    mount("64m");
  });
  afterEach(async () => {
    await store.close();
    unmount();
    await rm(folder, { recursive: true });
  });

  /** Leaves this much room. */
  const fill = (left: number) => writeFile(join(folder, "filler"), Buffer.alloc(64 * MIB - left));
  const free = () => rm(join(folder, "filler"));

  for (const segmentBytes of [16 * MIB, MIB / 2]) {
    test(`appends fail, reads go on, room helps at once; segments of ${segmentBytes}`, async () => {
      store = await open({ reserveBytes: 0, segmentBytes });
      const writer = new Writer(await store.open(0, 1), "q");
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 20; i++) await writer.append();
        await fill(6 * MIB).catch(() => {});
        for (let i = 0; i < 3000 && (await writer.append()); i++);
        expect(writer.refused.at(-1)).toBe("full");
        expect(await writer.append()).toBe(false);
        await writer.check();
        await free();
        await writer.appendEventually();
        await writer.check();
        await writer.shard.trim("q", writer.stored.at(-3) ?? 0);
        writer.stored.splice(0, writer.stored.length - 2);
      }
      expect(new Set(writer.refused)).toEqual(new Set(["full"]));
      await store.close();
      store = await open({ reserveBytes: 0, segmentBytes });
      await writer.check(await store.open(0, 2));
    }, 60_000);
  }

  test("closed while full: nothing acknowledged is lost, nothing refused appears", async () => {
    store = await open({ reserveBytes: 0 });
    const writer = new Writer(await store.open(0, 1), "q");
    await writer.append();
    await fill(3 * MIB);
    for (let i = 0; i < 3000 && (await writer.append()); i++);
    expect(writer.refused).toContain("full");
    await store.close();
    await free();
    store = await open({ reserveBytes: 0 });
    await writer.check(await store.open(0, 2));
  }, 60_000);

  test("with a reserve, trimming alone makes room again", async () => {
    unmount();
    mount("512m");
    store = await open({ segmentBytes: 4 * MIB });
    const writer = new Writer(await store.open(0, 1), "q", 100_000);
    for (let i = 0; i < 100_000 && (await writer.append()); i++);
    expect(writer.refused).toEqual(["full"]);
    await writer.check();
    await writer.shard.trim("q", writer.stored.at(-11) ?? 0);
    writer.stored.splice(0, writer.stored.length - 10);
    await writer.appendEventually();
    for (let i = 0; i < 100; i++) await writer.appendEventually();
    await writer.check();
  }, 60_000);

  test("what waits to be rewritten waits no longer when the disk becomes nearly full", async () => {
    let waiting = 0;
    // What was trimmed is written down a second later, which looks after the segments, too.
    let floors = 0;
    store = await open({
      segmentBytes: MIB / 2,
      reserveBytes: 16 * MIB,
      rewriteDelay: 100_000,
      timers: {
        set: (ms, run) => {
          if (ms > 50_000) {
            waiting++;
            return { cancel: () => {} };
          }
          return backgroundTimers.set(ms, () => {
            floors++;
            run();
          });
        },
      },
    });
    const shard = await store.open(0, 1);
    let next = 2 ** 32 + 1;
    for (let i = 0; i < 100; i++) {
      const body = randomBytes(60_000);
      await shard.append(
        appendOf(next, [
          { body, queues: ["q"] },
          { body: "rare", queues: ["rest"] },
        ]),
      );
      next += 2;
    }
    await until(() => store.counts().unsealed === 1);
    const before = store.counts().sealed;
    expect(before).toBeGreaterThan(5);
    await shard.trim("q", next - 3);
    await until(() => waiting > 0 && floors > 0);
    expect(store.counts().sealed).toBe(before);
    const { bavail, bsize } = await statfs(folder);
    await writeFile(join(folder, "filler"), Buffer.alloc(bavail * bsize - 12 * MIB));
    // Looking at the room again takes a moment, and somebody who wants some.
    const refused = () =>
      shard.append(appendOf(next++, [{ body: "x" }])).then(
        () => false,
        ({ code }: { code: string }) => code === "full",
      );
    await until(refused);
    await until(() => store.counts().sealed < before / 2);
    const { messages } = await shard.read([{ queue: "rest", after: 0 }], ALL);
    expect(messages).toHaveLength(100);
  }, 60_000);
});

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await isTrue()) return;
    await sleep(10);
  }
  throw new Error("it does not come");
}
