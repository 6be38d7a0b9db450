import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Harness, idlePeer, openRequest, subscribeTo } from "../../test/harness.ts";
import { contentOf, openLog, propose } from "../../test/log-harness.ts";
import { smallDisk } from "../../test/small-disk.ts";

const SIZE = 4 * 1024 * 1024;
const unavailable = expect.objectContaining({ code: "unavailable" });

describe("a full disk", () => {
  test("refuses commands as unavailable; they don't come back, and it recovers by itself", async (context) => {
    const disk = await smallDisk(SIZE);
    if (disk === undefined) return context.skip();
    const directory = join(disk.path, "log");
    const { log, recorder } = await openLog(directory, { snapshotEvery: 100_000 });
    const acknowledged: string[] = [];
    const refused: unknown[] = [];
    const proposeSome = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const text = `${acknowledged.length + refused.length} ${"x".repeat(3_000)}`;
        await propose(log, text).then(
          () => acknowledged.push(text),
          (error: unknown) => refused.push(error),
        );
      }
    };
    for (let round = 0; round < 5; round++) {
      const before = refused.length;
      const empty = await disk.fill(10_000 + round * 25_000);
      // A snapshot may make room a few times before there is none.
      for (let i = 0; i < 500 && refused.length < before + 3; i++) await proposeSome(1);
      expect(refused.length).toBe(before + 3);
      await empty();
      const after = acknowledged.length;
      await proposeSome(5);
      expect(acknowledged.length).toBe(after + 5);
      expect(recorder.commands).toEqual(acknowledged);
    }
    expect(refused).toEqual(refused.map(() => unavailable));
    await log.close();
    expect(await contentOf(directory)).toEqual(acknowledged);
  }, 20_000);

  test("makes the service unavailable, then it goes on where it was", async (context) => {
    const disk = await smallDisk(SIZE);
    if (disk === undefined) return context.skip();
    const directory = join(disk.path, "sessions");
    await mkdir(directory);
    const h = await Harness.start({ directory, durability: "sync" });
    const gateway = await h.sessions.register(idlePeer);
    const first = await h.sessions.open(openRequest(gateway, { clientId: "first" }));
    const empty = await disk.fill(40_000);
    const outcomes: PromiseSettledResult<unknown>[] = [];
    for (let i = 0; i < 40; i++) {
      const clientId = `client-${i}-${"x".repeat(2_000)}`;
      outcomes.push(
        ...(await Promise.allSettled([h.sessions.open(openRequest(gateway, { clientId }))])),
      );
    }
    const opened = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(outcomes.at(-1)).toEqual({ status: "rejected", reason: unavailable });
    await expect(
      h.sessions.subscribe(subscribeTo(first, `f/${"x".repeat(5_000)}`)),
    ).rejects.toEqual(unavailable);
    expect(h.sessions.counts()).toMatchObject({ sessions: 1 + opened, subscriptions: 0 });
    await empty();
    await h.sessions.subscribe(subscribeTo(first, "f"));
    await h.restart();
    expect(h.sessions.counts()).toMatchObject({ sessions: 1 + opened, subscriptions: 1 });
  }, 20_000);
});
