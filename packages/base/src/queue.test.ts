import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BoundedQueue, Deque } from "./queue.ts";

describe("Deque", () => {
  test("agrees with an array", () => {
    const step = fc.constantFrom("push", "push", "unshift", "shift", "pop");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const deque = new Deque<number>();
        const model: number[] = [];
        steps.forEach((kind, i) => {
          const adds = kind === "push" || kind === "unshift";
          const got = adds ? deque[kind](i) : deque[kind]();
          const wanted = adds ? void model[kind](i) : model[kind]();
          expect(got).toBe(wanted);
          expect(deque.size).toBe(model.length);
          expect(deque.peek()).toBe(model[0]);
        });
        expect([...deque]).toEqual(model);
        for (const i of [-1, 0, 1, model.length - 1, model.length]) {
          expect(deque.at(i)).toBe(model[i]);
        }
      }),
    );
  });

  test("clear empties it for further use", () => {
    const deque = new Deque<number>();
    for (let i = 0; i < 20; i++) deque.push(i);
    deque.clear();
    expect(deque.shift()).toBeUndefined();
    deque.unshift(1);
    expect([...deque]).toEqual([1]);
  });
});

describe("BoundedQueue", () => {
  test("says no when it is full", () => {
    const queue = new BoundedQueue<string>(2);
    expect(queue.push("a")).toBe(true);
    expect(queue.push("b")).toBe(true);
    expect(queue.full).toBe(true);
    expect(queue.push("c")).toBe(false);
    expect([...queue]).toEqual(["a", "b"]);
    expect(queue.shift()).toBe("a");
    expect(queue.push("c")).toBe(true);
    expect(queue.peek()).toBe("b");
    expect(queue.at(1)).toBe("c");
  });

  test("drops from the head, at most what is there", () => {
    const queue = new BoundedQueue<number>(10);
    for (let i = 0; i < 5; i++) queue.push(i);
    expect(queue.drop(2)).toBe(2);
    expect([...queue]).toEqual([2, 3, 4]);
    expect(queue.drop(9)).toBe(3);
    expect(queue.size).toBe(0);
    queue.push(1);
    queue.clear();
    expect(queue.shift()).toBeUndefined();
  });
});
