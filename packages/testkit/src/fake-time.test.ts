import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeTime } from "./fake-time.ts";

test("time stands still until it is advanced, and then both clocks move", () => {
  const time = new FakeTime({ now: 5, wall: 1000 });
  expect([time.now(), time.wall()]).toEqual([5, 1000]);
  time.advance(10);
  expect([time.now(), time.wall()]).toEqual([15, 1010]);
  time.jumpWall(-500);
  expect([time.now(), time.wall()]).toEqual([15, 510]);
});

test("a timer runs once, at its time, also one that another timer sets", () => {
  const time = new FakeTime();
  const ran: [string, number][] = [];
  const note = (name: string) => ran.push([name, time.now()]);
  time.set(10, () => {
    note("first");
    time.set(5, () => note("second"));
    time.set(0, () => note("at once"));
  });
  expect(time.nextDue).toBe(10);
  time.advance(9);
  expect(ran).toEqual([]);
  time.advance(20);
  expect(ran).toEqual([
    ["first", 10],
    ["at once", 10],
    ["second", 15],
  ]);
  expect([time.now(), time.pending, time.nextDue]).toEqual([29, 0, undefined]);
});

test("a cancelled timer does not run", () => {
  const time = new FakeTime();
  const ran: string[] = [];
  const late = time.set(2, () => ran.push("late"));
  time.set(1, () => late.cancel());
  time.advance(5);
  late.cancel();
  expect(ran).toEqual([]);
});

test("timers run by due time, then by when they were set, however time advances", () => {
  const delays = fc.array(fc.nat({ max: 50 }), { maxLength: 20 });
  fc.assert(
    fc.property(delays, fc.array(fc.nat({ max: 20 })), (set, steps) => {
      const time = new FakeTime();
      const ran: number[] = [];
      set.forEach((delay, index) => time.set(delay, () => ran.push(index)));
      for (const step of [...steps, 50]) time.advance(step);
      const order = set.map((delay, index) => ({ delay, index }));
      order.sort((a, b) => a.delay - b.delay || a.index - b.index);
      expect(ran).toEqual(order.map(({ index }) => index));
    }),
  );
});
