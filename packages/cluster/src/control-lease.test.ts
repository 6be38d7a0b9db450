import { seededRandom } from "@canopy/base";
import { FakeTime } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { FakeControl, failure, settled } from "../test/fake-control.ts";
import { LeaseKeeper } from "./control-lease.ts";

const LEASE = 3_000;

function start(kind: "gateway" | "store" = "store") {
  const time = new FakeTime({ now: 1_000 });
  const control = new FakeControl();
  const told: string[] = [];
  const keeper = new LeaseKeeper({
    control,
    clock: time,
    timers: time,
    random: seededRandom(3),
    kind,
    name: "n",
    address: "",
    disk: "",
    owner: {
      expired: () => told.push("expired"),
      renewed: () => told.push("renewed"),
      ended: () => told.push("ended"),
      behind: () => told.push("behind"),
    },
  });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      time.advance(50);
      await settled();
    }
  };
  return { time, control, told, keeper, pass };
}

/** A clock and timers that are not quite of one mind. */
function startApart() {
  const time = new FakeTime({ now: 1_000 });
  const control = new FakeControl();
  const told: string[] = [];
  const apart = { early: 0, jump: 0 };
  const keeper = new LeaseKeeper({
    control,
    clock: { now: () => time.now() + apart.jump, wall: () => time.wall() },
    timers: { set: (ms, action) => time.set(Math.max(0, ms - apart.early), action) },
    random: seededRandom(3),
    kind: "store",
    name: "n",
    address: "",
    disk: "",
    owner: {
      expired: () => told.push("expired"),
      renewed: () => told.push("renewed"),
      ended: () => told.push("ended"),
      behind: () => told.push("behind"),
    },
  });
  return { time, control, told, keeper, apart };
}

test("a timer that fires too early does not keep its end, and its renewal, from being told", async () => {
  const { time, control, told, keeper, apart } = startApart();
  apart.early = 0.5;
  await keeper.join();
  const renewed = Promise.withResolvers<void>();
  control.answers = [() => renewed.promise];
  for (let passed = 0; passed < LEASE; passed += 10) {
    time.advance(10);
    await settled();
  }
  expect(told).toEqual(["expired"]);
  renewed.resolve();
  await settled();
  time.advance(100);
  await settled();
  expect(keeper.valid(time.now())).toBe(true);
  expect(told).toEqual(["expired", "renewed"]);
  keeper.stop();
});

test("a process that stood still hears of the end also where a renewal comes before its timer", async () => {
  const { time, control, told, keeper, apart } = startApart();
  await keeper.join();
  time.advance(500);
  apart.jump = LEASE;
  control.answers = [];
  keeper.acknowledge(100);
  await settled();
  expect(told).toEqual(["expired", "renewed"]);
  keeper.stop();
});

describe("a lease", () => {
  test("counts from when the join, or the renewal, was sent, less a margin", async () => {
    const { time, control, told, keeper, pass } = start();
    expect(keeper.valid(time.now())).toBe(false);
    const joined = Promise.withResolvers<unknown>();
    control.answers = [() => joined.promise];
    const join = keeper.join();
    await pass(500);
    joined.resolve({ incarnation: 7, lease: LEASE });
    expect(await join).toBe(7);
    expect(keeper.incarnation).toBe(7);
    expect(keeper.valid(1_000 + 2_699)).toBe(true);
    expect(keeper.valid(1_000 + 2_700)).toBe(false);
    // Renewed a third of the lease after the join was sent.
    const renewed = Promise.withResolvers<void>();
    control.answers = [() => renewed.promise];
    await pass(450);
    expect(control.renewals).toEqual([]);
    await pass(50);
    expect(control.renewals).toEqual([{ incarnation: 7, acknowledged: 7 }]);
    await pass(800);
    renewed.resolve();
    await settled();
    expect(keeper.valid(2_000 + 2_699)).toBe(true);
    expect(keeper.valid(2_000 + 2_700)).toBe(false);
    await pass(10 * LEASE);
    expect(keeper.valid(time.now())).toBe(true);
    expect(told).toEqual([]);
  });

  test("that is not renewed expires, and its owner hears of it once; a renewal brings it back", async () => {
    const { time, control, told, keeper, pass } = start();
    await keeper.join();
    control.otherwise = failure("unavailable");
    await pass(2_650);
    expect([keeper.valid(time.now()), told]).toEqual([true, []]);
    await pass(50);
    expect([keeper.valid(time.now()), told]).toEqual([false, ["expired"]]);
    await pass(5_000);
    expect(told).toEqual(["expired"]);
    // It was tried all the time, with pauses.
    expect(control.renewals.length).toBeGreaterThan(8);
    expect(control.renewals.length).toBeLessThan(50);
    control.otherwise = () => Promise.resolve();
    await pass(600);
    expect([keeper.valid(time.now()), told]).toEqual([true, ["expired", "renewed"]]);
  });

  test("that has ended is told once, and nothing is tried again", async () => {
    const { time, control, told, keeper, pass } = start();
    await keeper.join();
    control.otherwise = failure("ended");
    keeper.acknowledge(9);
    await pass(50);
    expect([keeper.valid(time.now()), told]).toEqual([false, ["ended"]]);
    keeper.acknowledge(10);
    await pass(5 * LEASE);
    expect(control.renewals).toHaveLength(1);
    expect(told).toEqual(["ended"]);
    expect(time.pending).toBe(0);
  });

  test("is given back by a planned end", async () => {
    const { time, control, told, keeper, pass } = start("gateway");
    await keeper.join();
    await keeper.leave();
    expect(keeper.valid(time.now())).toBe(false);
    await pass(2 * LEASE);
    expect(control.asked).toEqual(["join", "leave"]);
    expect([told, control.closed, time.pending]).toEqual([[], 1, 0]);
  });

  test("that never ends is renewed only to say what is obeyed", async () => {
    const { time, control, keeper, pass } = start("gateway");
    control.answers = [() => Promise.resolve({ incarnation: 4, lease: 0 })];
    await keeper.join();
    expect([keeper.valid(1e12), time.pending, control.attended]).toEqual([true, 0, []]);
    control.answers = [failure("unavailable")];
    keeper.acknowledge(6);
    await pass(500);
    expect(control.renewals.map(({ acknowledged }) => acknowledged)).toEqual([6, 6]);
    expect([keeper.valid(1e12), time.pending]).toEqual([true, 0]);
  });
});

describe("what is obeyed", () => {
  test("is told at once, what comes meanwhile with one renewal after it", async () => {
    const { control, keeper } = start();
    await keeper.join();
    const first = Promise.withResolvers<void>();
    control.answers = [() => first.promise];
    keeper.acknowledge(8);
    keeper.acknowledge(9);
    await settled();
    keeper.acknowledge(10);
    keeper.acknowledge(12);
    keeper.acknowledge(11);
    await settled();
    expect(control.renewals.map(({ acknowledged }) => acknowledged)).toEqual([9]);
    first.resolve();
    await settled();
    expect(control.renewals.map(({ acknowledged }) => acknowledged)).toEqual([9, 12]);
  });

  test("too late is no reason to end: the owner may look elsewhere", async () => {
    const { control, told, keeper, pass } = start();
    await keeper.join();
    control.answers = [failure("behind")];
    await pass(1_000);
    expect(told).toEqual(["behind"]);
    await pass(5_000);
    expect(told).toEqual(["behind"]);
  });
});

describe("a gateway", () => {
  test("attends, and is back soon where that ends", async () => {
    const { control, told, keeper, pass } = start("gateway");
    await keeper.join();
    for (let i = 0; i < 6; i++) {
      expect(control.attended).toHaveLength(i + 1);
      await failure("closed")().catch((error) => control.attended.at(-1)?.ended(error));
      await pass(200);
    }
    expect(told).toEqual([]);
    await failure("ended")().catch((error) => control.attended.at(-1)?.ended(error));
    await pass(LEASE);
    expect(control.attended).toHaveLength(7);
    expect(told).toEqual(["ended"]);
  });
});
