import { seededRandom, silentLogger } from "@canopy/base";
import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
import type { SnapshotRequest } from "../../src/core/types.ts";
import type { HostOptions } from "../../src/host/port.ts";
import { Sender, type SnapshotSending } from "../../src/host/sender.ts";
import type { SnapshotReader } from "../../src/storage/port.ts";
import type { SnapshotIntake } from "../../src/transport/port.ts";

const meta = {
  index: 5,
  term: 1,
  configuration: {
    voters: [1, 2],
    outgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
    highest: 2,
    nodes: new Map(),
  },
};
const request: SnapshotRequest = { type: "snapshot", from: 1, to: 2, term: 1, snapshot: meta };

/** A sender whose receiver refuses, and what the group is told at which time. */
function started() {
  const time = new FakeTime();
  const reader: SnapshotReader = {
    meta,
    size: 3,
    part: async () => Buffer.from("abc"),
    chunks: async function* () {
      yield Buffer.from("abc");
    },
    close: async () => {},
  };
  const intake: SnapshotIntake = {
    received: 0,
    part: async () => {},
    finish: async () => {},
    close: async () => {},
  };
  const state = { refuses: true, isMember: true, told: [] as string[] };
  const options = {
    timers: time,
    random: seededRandom(1),
    logger: silentLogger,
    storage: { disk: 7 },
    transport: {
      openSnapshot: async () => {
        if (state.refuses) throw new Error("no room");
        return intake;
      },
    },
  } as unknown as HostOptions;
  const sender = new Sender(options);
  const group: SnapshotSending = {
    id: 0,
    leads: () => true,
    hasMember: () => state.isMember,
    readSnapshot: async () => reader,
    snapshotSent: (to, ok) => state.told.push(`${to} ${ok}`),
  };
  /** How long after a failed try the group may try again, ms. */
  const pause = async (): Promise<number> => {
    const before = state.told.length;
    sender.send(group, "n2", request);
    for (let ms = 0; ; ms += 100) {
      await new Promise((resolve) => setImmediate(resolve));
      if (state.told.length > before) return ms;
      // One is under way, or waits: another is not begun.
      sender.send(group, "n2", request);
      time.advance(100);
    }
  };
  return { sender, group, state, pause, time };
}

test("a snapshot that can't be sent is tried again later and later, up to a bound", async () => {
  const { state, pause, sender, time } = started();
  const pauses: number[] = [];
  for (let i = 0; i < 9; i++) pauses.push(await pause());
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  expect(new Set(state.told)).toEqual(new Set(["2 false"]));
  await sender.stop();
  expect(time.pending).toBe(0);
});

test("after one that came through it begins anew", async () => {
  const { state, pause, sender } = started();
  for (let i = 0; i < 4; i++) await pause();
  state.refuses = false;
  expect(await pause()).toBe(0);
  expect(state.told.at(-1)).toBe("2 true");
  state.refuses = true;
  expect(await pause()).toBe(100);
  await sender.stop();
});

test("of what is no member any more nothing is remembered, also if a try was under way", async () => {
  const { sender, group, state, pause } = started();
  for (let i = 0; i < 4; i++) await pause();
  state.isMember = false;
  sender.membersChanged(group);
  // The group is opened again, say.
  state.isMember = true;
  expect(await pause()).toBe(100);
  expect(await pause()).toBe(200);
  state.isMember = false;
  sender.membersChanged(group);
  expect(await pause()).toBe(100);
  expect(await pause()).toBe(100);
  await sender.stop();
});
