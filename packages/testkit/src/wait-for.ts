import { setTimeout as pause } from "node:timers/promises";
import { type RunnerTestCase, TestRunner } from "vitest";

export interface WaitOptions {
  /** Milliseconds after which it rejects; see defaultTimeout. */
  readonly timeout?: number;
  /** What is waited for, in words, for the error. */
  readonly what?: string | (() => string);
}

/**
 * Three quarters of the running test's time, so that what was waited for in vain is what the test
 * reports; 8 s in hooks and outside of tests.
 */
export function defaultTimeout(): number {
  const test = TestRunner.getCurrentTest<RunnerTestCase | undefined>();
  return test?.timeout ? test.timeout * 0.75 : 8000;
}

const firstPause = 1;
const longestPause = 50;

/**
 * Asks until the answer is truthy and resolves to it. A condition that throws has not been met; its
 * last error is the cause of the timeout's. The way to wait in a test: never a fixed sleep.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false | 0 | "">> {
  const { timeout = defaultTimeout(), what = "the condition" } = options;
  const end = performance.now() + timeout;
  let cause: unknown;
  for (let delay = firstPause; ; delay = Math.min(delay * 2, longestPause)) {
    try {
      const answer = await condition();
      if (answer) return answer as Exclude<T, undefined | null | false | 0 | "">;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) {
      const text = typeof what === "string" ? what : what();
      throw new Error(`waited ${timeout} ms in vain for ${text}`, { cause });
    }
    await pause(delay);
  }
}
