/**
 * The contract suite of the port {@link Shards}: of the store service itself, and of whatever carries
 * the port from one process to another.
 */
import { describe } from "vitest";
import type { MakeShardsHarness } from "./shards/harness.ts";
import { ownershipTests } from "./shards/ownership.ts";
import { publishingTests } from "./shards/publishing.ts";

export type { MakeShardsHarness, SentMessage, ShardsHarness } from "./shards/harness.ts";

/** Declares the suite's tests for one way to reach a store process. */
export function shardsContract(name: string, makeHarness: MakeShardsHarness): void {
  describe(`${name}: the Shards contract`, () => {
    describe("publishing, reading, sharing", () => {
      publishingTests(makeHarness);
    });
    describe("owners, gateways, batches that come again", () => {
      ownershipTests(makeHarness);
    });
  });
}

/**
 * The part of it that also holds for what gives batches again by itself: who calls that need not know
 * which process owns a shard.
 */
export function routedShardsContract(name: string, makeHarness: MakeShardsHarness): void {
  describe(`${name}: the Shards contract, but for owners`, () => {
    publishingTests(makeHarness);
  });
}
