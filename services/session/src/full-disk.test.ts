import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { SessionError } from "@canopy/session";
import { SmallDisk, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Harness, openRequest, subscribeTo } from "../test/harness.ts";

const MEGABYTE = 1024 * 1024;
/** How long the group waits for a disk that fails, ms: 3 election timeouts of 10 ticks. */
const PATIENCE = 3_200;

function code(expected: SessionError["code"]): object {
  return expect.objectContaining({ code: expected });
}

/** Time goes by for the group and for the service, in steps. */
async function pass(h: Harness, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    h.raftTime.advance(100);
    h.time.advance(100);
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
  }
}

test("a full disk: nobody is told what is not true, and with room again it goes on by itself", async (context) => {
  if (!SmallDisk.canMount()) return context.skip("a tmpfs can't be mounted");
  const disk = await SmallDisk.mount(8 * MEGABYTE);
  const directory = join(disk.path, "raft");
  await mkdir(directory);
  const h = await Harness.start({ directory, durability: "sync", segmentBytes: 64 * 1024 });
  const gateway = await h.attach();
  const first = await h.sessions.open(openRequest(gateway, { clientId: "first" }));
  await disk.fill(4_000);
  const open = (i: number) =>
    h.sessions.open(openRequest(gateway, { clientId: `client-${i}-${"x".repeat(9_000)}` }));
  let opened = 1;
  let caught = 0;
  let outcome: Promise<PromiseSettledResult<unknown>[]> | undefined;
  for (let i = 0; outcome === undefined; i++) {
    const opening = Promise.allSettled([open(i)]);
    let isSettled = false;
    void opening.then(() => {
      isSettled = true;
    });
    await waitFor(() => isSettled || h.raft.storage.failing !== undefined);
    if (isSettled) opened++;
    else [outcome, caught] = [opening, i];
  }
  // What comes now is not even taken.
  await expect(open(-1)).rejects.toEqual(code("unavailable"));
  await expect(h.sessions.subscribe(subscribeTo(first, "f"))).rejects.toEqual(code("unavailable"));
  // And of what was taken it is not known what will become of it.
  await pass(h, PATIENCE);
  expect(await outcome).toEqual([{ status: "rejected", reason: code("indeterminate") }]);
  await expect(open(caught)).rejects.toEqual(code("unavailable"));
  expect(h.service.counts).toMatchObject({ sessions: opened, subscriptions: 0 });

  await disk.makeRoom();
  // It was applied after all, and given back, since the gateway was told that it was not.
  await waitFor(async () => {
    await pass(h, 100);
    const { sessions, connected } = h.service.counts;
    return sessions === opened + 1 && connected === opened && h.time.pending === 0;
  });
  expect(await open(caught)).toMatchObject({ sessionPresent: true, epoch: 2 });
  await h.sessions.subscribe(subscribeTo(first, "f"));
  await h.restart();
  expect(h.service.counts).toMatchObject({ sessions: opened + 1, subscriptions: 1 });
}, 30_000);
