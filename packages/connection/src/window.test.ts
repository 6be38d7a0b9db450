import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Delivery } from "./delivery.ts";
import { Window } from "./window.ts";

function delivery(): Delivery<string> {
  return new Delivery<string>(1, "", 0, 0, undefined, undefined);
}

describe("Window", () => {
  test("[MQTT-2.2.1-4] identifiers go round, from 1 to 65,535 and over what is in use", () => {
    const window = new Window<string>(10);
    const kept = delivery();
    expect(window.add(kept)).toBe(1);
    let last = 1;
    // one that shares its slot with one in use may be passed over, but no other
    for (let passed = 0; passed < 2; ) {
      const id = window.add(delivery());
      expect(id > last ? id - last : id).toBeLessThanOrEqual(2);
      if (id < last) passed++;
      last = id;
      window.remove(id);
    }
    expect(window.get(1)).toBe(kept);
  });

  test("[MQTT-2.2.1-4] the last free identifier is found", () => {
    const window = new Window<string>(65_535);
    for (let id = 1; id <= 65_535; id++) window.add(delivery());
    expect(window.room).toBe(0);
    window.remove(777);
    expect(window.room).toBe(1);
    expect(window.add(delivery())).toBe(777);
  });

  test("all() has the order in which they were added", () => {
    const window = new Window<string>(10);
    window.restore(delivery(), 9);
    window.restore(delivery(), 3);
    window.add(delivery());
    expect([...window.all()].map(({ packetId }) => packetId)).toEqual([9, 3, 10]);
  });

  test("[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] no identifier is in use twice, or 0", () => {
    const id = fc.integer({ min: 1, max: 65_535 });
    const step = fc.oneof(
      fc.constant({ add: true }),
      fc.record({ remove: fc.nat() }),
      fc.record({ restore: id }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const window = new Window<string>(65_535);
        const used = new Set([0]);
        const clashes: number[] = [];
        for (const one of steps) {
          if ("remove" in one) {
            const gone = [...used][one.remove % used.size] as number;
            if (gone !== 0) used.delete(gone);
            window.remove(gone);
          } else if ("add" in one || !used.has(one.restore)) {
            const added = delivery();
            if ("add" in one) window.add(added);
            else window.restore(added, one.restore);
            if (used.has(added.packetId)) clashes.push(added.packetId);
            used.add(added.packetId);
          }
        }
        expect(clashes).toEqual([]);
        expect([0, ...[...window.all()].map(({ packetId }) => packetId)]).toEqual([...used]);
        expect(window.room).toBe(65_535 - (used.size - 1));
      }),
    );
  });
});
