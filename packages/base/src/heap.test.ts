import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DeadlineHeap } from "./heap.ts";

describe("DeadlineHeap", () => {
  test("pops what is due, earliest first, and leaves the rest", () => {
    const heap = new DeadlineHeap<string>();
    heap.set("c", 30);
    heap.set("a", 10);
    heap.set("b", 20);
    expect(heap.peek()).toEqual({ key: "a", deadline: 10 });
    expect(heap.popDue(20)).toEqual(["a", "b"]);
    expect(heap.next()).toBe(30);
    expect(heap.size).toBe(1);
  });

  test("pops at most max", () => {
    const heap = new DeadlineHeap<number>();
    for (const key of [3, 1, 2]) heap.set(key, 5);
    expect(heap.popDue(5, 2)).toEqual([1, 2]);
    expect(heap.popDue(5, 2)).toEqual([3]);
  });

  test("empty: nothing to see, nothing to pop", () => {
    const heap = new DeadlineHeap<string>();
    expect(heap.peek()).toBeUndefined();
    expect(heap.next()).toBe(Number.POSITIVE_INFINITY);
    expect(heap.popDue(Number.POSITIVE_INFINITY)).toEqual([]);
    expect(heap.remove("a")).toBe(false);
  });

  test("the order is that of (deadline, key), whatever happened before", () => {
    const steps = fc.array(
      fc.record({ key: fc.nat(20), deadline: fc.nat(10), remove: fc.boolean() }),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(steps, (changes) => {
        const heap = new DeadlineHeap<number>();
        const model = new Map<number, number>();
        for (const { key, deadline, remove } of changes) {
          const known = model.delete(key);
          const removed = remove ? heap.remove(key) : heap.has(key);
          if (!remove) {
            heap.set(key, deadline);
            model.set(key, deadline);
          }
          expect(removed).toBe(known);
          expect(heap.deadlineOf(key)).toBe(model.get(key));
          expect(heap.has(key)).toBe(model.has(key));
        }
        expect(new Map([...heap].map(({ key, deadline }) => [key, deadline]))).toEqual(model);
        const order = [...model].sort(([a, x], [b, y]) => x - y || a - b).map(([key]) => key);
        expect(heap.popDue(Number.POSITIVE_INFINITY)).toEqual(order);
        expect(heap.size).toBe(0);
      }),
    );
  });
});
