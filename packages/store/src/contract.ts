/**
 * The contract suite of the port {@link Store}: a backend is done when it passes. Call it in a test
 * file of the backend.
 */
import { describe } from "vitest";
import { appendTests } from "./contract/append.ts";
import { fencingTests } from "./contract/fencing.ts";
import type { ContractOptions, MakeHarness } from "./contract/harness.ts";
import { lifecycleTests } from "./contract/lifecycle.ts";
import { propertyTests } from "./contract/property.ts";
import { queueTests } from "./contract/queues.ts";
import { readTests } from "./contract/read.ts";
import { receiptTests } from "./contract/receipts.ts";
import { retainedTests } from "./contract/retained.ts";
import { sizeTests } from "./contract/sizes.ts";

export {
  appendOf,
  type ContractOptions,
  change,
  type Draft,
  type MakeHarness,
  type StoreHarness,
} from "./contract/harness.ts";

/** Declares the suite's tests for one backend. */
export function storeContract(
  name: string,
  makeHarness: MakeHarness,
  options: ContractOptions = {},
): void {
  describe(`${name}: the Store contract`, () => {
    describe("append", () => {
      appendTests(makeHarness);
    });
    describe("read", () => {
      readTests(makeHarness);
    });
    describe("queues", () => {
      queueTests(makeHarness);
    });
    describe("retained", () => {
      retainedTests(makeHarness);
    });
    describe("receipts, senders, progress", () => {
      receiptTests(makeHarness);
    });
    describe("fencing", () => {
      fencingTests(makeHarness);
    });
    describe("close, reopen, crash", () => {
      lifecycleTests(makeHarness);
    });
    describe("sizes", () => {
      sizeTests(makeHarness, options);
    });
    describe("properties", () => {
      propertyTests(makeHarness, options);
    });
  });
}
