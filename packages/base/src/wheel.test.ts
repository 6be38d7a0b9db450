import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TimerWheel, WheelEntry } from "./wheel.ts";

const options = { tickMs: 10, slots: 8 };

function expired(wheel: TimerWheel<string>, now: number): string[] {
  const owners: string[] = [];
  wheel.advance(now, (owner) => owners.push(owner));
  return owners;
}

describe("TimerWheel", () => {
  test("an entry expires once, not before its deadline and at most a tick after", () => {
    const wheel = new TimerWheel<string>(0, options);
    wheel.schedule(new WheelEntry("a"), 25);
    expect(expired(wheel, 24)).toEqual([]);
    expect(expired(wheel, 35)).toEqual(["a"]);
    expect(expired(wheel, 1000)).toEqual([]);
    expect(wheel.size).toBe(0);
  });

  test("activity only writes the deadline", () => {
    const wheel = new TimerWheel<string>(0, options);
    const entry = new WheelEntry("a");
    wheel.schedule(entry, 20);
    entry.deadline = 50;
    expect(expired(wheel, 45)).toEqual([]);
    expect(expired(wheel, 60)).toEqual(["a"]);
  });

  test("an earlier deadline takes effect through schedule", () => {
    const wheel = new TimerWheel<string>(0, options);
    const entry = new WheelEntry("a");
    wheel.schedule(entry, 70);
    wheel.schedule(entry, 20);
    expect(wheel.size).toBe(1);
    expect(expired(wheel, 30)).toEqual(["a"]);
  });

  test("a cancelled entry is gone, and may be scheduled again", () => {
    const wheel = new TimerWheel<string>(0, options);
    const entry = new WheelEntry("a");
    wheel.schedule(entry, 20);
    wheel.cancel(entry);
    wheel.cancel(entry);
    expect(wheel.size).toBe(0);
    expect(entry.scheduled).toBe(false);
    expect(expired(wheel, 100)).toEqual([]);
    wheel.schedule(entry, 120);
    expect(expired(wheel, 130)).toEqual(["a"]);
  });

  test("a deadline that has passed expires at the next advance", () => {
    const wheel = new TimerWheel<string>(100, options);
    wheel.schedule(new WheelEntry("a"), 3);
    expect(expired(wheel, 110)).toEqual(["a"]);
  });

  test("a call on expiry may schedule and cancel, also entries of the same slot", () => {
    const wheel = new TimerWheel<string>(0, options);
    const entries = ["a", "b", "c"].map((owner) => new WheelEntry(owner));
    for (const entry of entries) wheel.schedule(entry, 20);
    const seen: string[] = [];
    wheel.advance(30, (owner, entry) => {
      seen.push(owner);
      wheel.cancel(entries[1] as WheelEntry<string>);
      if (seen.length === 1) wheel.schedule(entry, 20);
    });
    expect(seen).toEqual(["a", "c"]);
    expect(expired(wheel, 40)).toEqual(["a"]);
  });

  test("agrees with a list of deadlines, over revolutions and jumps", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("set" as const), owner: fc.nat(9), in: fc.nat(300) }),
      fc.record({ kind: fc.constant("cancel" as const), owner: fc.nat(9), in: fc.constant(0) }),
      fc.record({ kind: fc.constant("wait" as const), owner: fc.constant(0), in: fc.nat(200) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now = 1000;
        let latest = 0;
        const wheel = new TimerWheel<number>(now, options);
        const entries = Array.from({ length: 10 }, (_, owner) => new WheelEntry(owner));
        const model = new Map<number, number>();
        for (const { kind, owner, in: ms } of steps) {
          const entry = entries[owner] as WheelEntry<number>;
          const early: number[] = [];
          if (kind === "set") {
            wheel.schedule(entry, now + ms);
            model.set(owner, now + ms);
          } else if (kind === "cancel") {
            wheel.cancel(entry);
            model.delete(owner);
          } else {
            now += ms;
            wheel.advance(now, (done) => {
              if ((model.get(done) as number) > now) early.push(done);
              model.delete(done);
            });
          }
          expect(early).toEqual([]);
          if (kind === "wait") latest = now - options.tickMs;
          for (const deadline of model.values()) expect(deadline).toBeGreaterThan(latest);
          expect(wheel.size).toBe(model.size);
        }
      }),
    );
  });
});
