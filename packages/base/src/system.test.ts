import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backgroundTimers, systemClock, systemRandom, systemTimers } from "./system.ts";

describe("systemTimers", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("run once, unless cancelled", () => {
    const fn = vi.fn<() => void>();
    systemTimers.set(50, fn);
    systemTimers.set(50, fn).cancel();
    backgroundTimers.set(50, fn);
    vi.advanceTimersByTime(49);
    expect(fn).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1000);
    expect(fn).toHaveBeenCalledTimes(2);
  });

  test("wait for longer than setTimeout can: a session may expire in 136 years", () => {
    const fn = vi.fn<() => void>();
    const ms = 0xffff_fffe * 1000;
    const timer = systemTimers.set(ms, fn);
    vi.advanceTimersByTime(2 ** 31);
    expect(fn).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(1);
    timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("system", () => {
  test("the clock goes forward", () => {
    const before = systemClock.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
    expect(Math.abs(systemClock.wall() - Date.now())).toBeLessThan(1000);
  });

  test("random numbers are in [0, 1)", () => {
    for (let i = 0; i < 1000; i++) {
      const x = systemRandom.next();
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThan(1);
    }
  });
});
