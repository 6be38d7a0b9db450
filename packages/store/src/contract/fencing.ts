import { expect, test } from "vitest";
import { MAX_EPOCH, OFFSETS_PER_EPOCH } from "../port.ts";
import {
  appendOf,
  bodies,
  change,
  firstOf,
  type MakeHarness,
  outcome,
  put,
  useBench,
} from "./harness.ts";

export function fencingTests(makeHarness: MakeHarness): void {
  const bench = useBench(makeHarness);

  test("an epoch is taken once and only grows", async () => {
    const { store } = bench();
    expect(await store.epoch(0)).toBe(0);
    await store.open(0, 5);
    expect(await store.epoch(0)).toBe(5);
    expect(await outcome(store.open(0, 5))).toBe("stale-epoch");
    expect(await outcome(store.open(0, 4))).toBe("stale-epoch");
    expect(await outcome(store.open(0, 6))).toBe("done");
    expect(await store.epoch(1)).toBe(0);
  });

  test("epochs out of range are refused", async () => {
    const { store } = bench();
    for (const epoch of [0, -1, 1.5, MAX_EPOCH + 1]) {
      expect(await outcome(store.open(0, epoch))).toBe("invalid");
    }
  });

  test("an epoch is on disk when open returns", async () => {
    await bench().store.open(0, 5);
    await bench().crash();
    expect(await bench().store.epoch(0)).toBe(5);
    expect(await outcome(bench().store.open(0, 5))).toBe("stale-epoch");
  });

  test("after a newer open, the older owner's writes fail", async () => {
    const old = await bench().shard();
    const first = await put(old, { body: "a", queues: ["q"] });
    const owner = await bench().shard();
    const append = appendOf(first + 1, [{ body: "b", queues: ["q"] }]);
    expect(await outcome(old.append(append))).toBe("stale-epoch");
    expect(await outcome(old.append(change({})))).toBe("stale-epoch");
    expect(await outcome(old.trim("q", first))).toBe("stale-epoch");
    expect(await outcome(old.drop("q", first))).toBe("stale-epoch");
    expect(await outcome(old.remove("q"))).toBe("stale-epoch");
    expect(await bodies(owner, "q")).toEqual(["a"]);
    await put(owner, { body: "c", queues: ["q"] });
    expect(await bodies(owner, "q")).toEqual(["a", "c"]);
  });

  test("an append on its way at the newer open is stored and seen by it, or fails", async () => {
    for (let round = 0; round < 20; round++) {
      const old = await bench().shard();
      const first = firstOf(old);
      const appends = Array.from({ length: 5 }, (_, i) =>
        outcome(
          old.append(appendOf(first + i, [{ body: `${round}.${i}`, queues: [`q${round}`] }])),
        ),
      );
      if (round % 2 === 1) await appends[0];
      const owner = await bench().shard();
      const atOpen = await bodies(owner, `q${round}`);
      const results = await Promise.all(appends);
      const stored = results.filter((result) => result === "done").length;
      expect(results.slice(0, stored).every((result) => result === "done")).toBe(true);
      expect(results.slice(stored).every((result) => result === "stale-epoch")).toBe(true);
      expect(atOpen).toEqual(Array.from({ length: stored }, (_, i) => `${round}.${i}`));
      expect(await bodies(owner, `q${round}`)).toEqual(atOpen);
      expect(owner.head).toBe(stored === 0 ? owner.head : first + stored - 1);
    }
  });

  test("offsets of a later epoch are above those of an earlier one", async () => {
    const old = await bench().shard();
    const one = await put(old, { body: "1", queues: ["q"] });
    const owner = await bench().shard();
    const two = await put(owner, { body: "2", queues: ["q"] });
    expect(two - one).toBe(OFFSETS_PER_EPOCH);
    expect(await bodies(owner, "q")).toEqual(["1", "2"]);
  });

  test("the highest epoch and offset work", async () => {
    const shard = await bench().store.open(0, MAX_EPOCH);
    const first = MAX_EPOCH * OFFSETS_PER_EPOCH + OFFSETS_PER_EPOCH - 3;
    await shard.append(appendOf(first, [{ body: "x", queues: ["q"], retain: "t" }]));
    expect(await bodies(shard, "q")).toEqual(["x"]);
    expect(shard.head).toBe(first);
    await shard.trim("q", first);
    expect(await shard.stats()).toEqual([]);
  });
}
