/**
 * The contract suite of the port {@link Sessions}: an implementation is done when it passes, in process
 * or over a wire. Call it in a test file of the implementation.
 */
import { describe } from "vitest";
import type { MakeHarness } from "./contract/harness.ts";
import { openingTests } from "./contract/opening.ts";
import { progressTests } from "./contract/progress.ts";
import { subscribeTests } from "./contract/subscribing.ts";
import { willTests } from "./contract/wills.ts";

export { type MakeHarness, type SessionsHarness, SHARDS } from "./contract/harness.ts";
export { FakeStores } from "./contract/stores.ts";

/** Declares the suite's tests for one implementation. */
export function sessionsContract(name: string, makeHarness: MakeHarness): void {
  describe(`${name}: the Sessions contract`, () => {
    describe("opening", () => {
      openingTests(makeHarness);
    });
    describe("wills", () => {
      willTests(makeHarness);
    });
    describe("a subscription", () => {
      subscribeTests(makeHarness);
    });
    describe("progress", () => {
      progressTests(makeHarness);
    });
  });
}
