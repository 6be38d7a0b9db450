import fc from "fast-check";
import { expect, test } from "vitest";
import { LazyMap } from "./lazy-map.ts";

const key = fc.integer({ min: 0, max: 5 });
const step = fc.oneof(
  fc.record({ set: key, value: fc.nat() }),
  fc.record({ delete: key }),
  fc.record({ clear: fc.constant(true) }),
);

test("does what a Map does", () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const lazy = new LazyMap<number, number>();
      const map = new Map<number, number>();
      const deleted: [boolean, boolean][] = [];
      for (const one of steps) {
        if ("set" in one) {
          lazy.set(one.set, one.value);
          map.set(one.set, one.value);
        } else if ("delete" in one) {
          deleted.push([lazy.delete(one.delete), map.delete(one.delete)]);
        } else {
          lazy.clear();
          map.clear();
        }
        expect([...lazy]).toEqual([...map]);
        expect([...lazy.values()]).toEqual([...map.values()]);
        expect(lazy.size).toBe(map.size);
        for (let i = 0; i <= 5; i++) {
          expect(lazy.get(i)).toBe(map.get(i));
          expect(lazy.has(i)).toBe(map.has(i));
        }
      }
      for (const [ours, theirs] of deleted) expect(ours).toBe(theirs);
    }),
  );
});
