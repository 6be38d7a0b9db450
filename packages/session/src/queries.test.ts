import { describe, expect, test } from "vitest";
import { delivery, Group } from "../test/group.ts";

const NOTHING_HOLDS = Number.MAX_SAFE_INTEGER;

describe("lowest", () => {
  test("is unknown without a route", () => {
    const g = new Group();
    expect(g.state.lowest("f", 0)).toBeUndefined();
    g.subscribe(g.open(), [{ filter: "f", qos: 0 }]);
    expect(g.state.lowest("f", 0)).toBeUndefined();
  });

  test("is the lowest cursor, or start where that is higher, of the sessions with the queue", () => {
    const g = new Group();
    const a = g.open({ clientId: "a" });
    const b = g.open({ clientId: "b" });
    const c = g.open({ clientId: "c" });
    g.subscribe(a, ["f"], [10, 10, 10, 10]);
    g.subscribe(b, ["f"], [20, 20, 20, 20]);
    g.subscribe(c, [{ filter: "f", qos: 0 }], [5, 5, 5, 5]);
    expect(g.state.lowest("f", 0)).toBe(10);
    g.progress(a, { cursors: [0, 30] });
    expect(g.state.lowest("f", 0)).toBe(20);
    expect(g.state.lowest("f", 1)).toBe(10);
    g.unsubscribe(a, ["f"]);
    expect(g.state.lowest("f", 1)).toBe(20);
  });

  test("an unfinished delivery holds its message, also below the cursor", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f"], [10, 10, 10, 10]);
    g.deliver(opened, { assigned: [delivery(1, 15), delivery(2, 12, { queue: "g" })] });
    g.progress(opened, { cursors: [1, 30] });
    expect(g.state.lowest("f", 1)).toBe(14);
    expect(g.state.lowest("f", 0)).toBe(10);
    g.deliver(opened, { completed: [1] });
    expect(g.state.lowest("f", 1)).toBe(30);
  });

  test("[MQTT-3.10.4-3] what drains counts", () => {
    const g = new Group();
    const opened = g.open();
    g.subscribe(opened, ["f"], [10, 10, 10, 10]);
    g.unsubscribe(opened, ["f"], ["f"]);
    expect(g.state.lowest("f", 1)).toBe(10);
  });

  test("[MQTT-4.8.2-4] only a QoS 2 delivery holds a shared subscription's message", () => {
    const g = new Group();
    const queue = "$share/g/f";
    expect(g.state.lowest(queue, 1)).toBeUndefined();
    const opened = g.open();
    g.subscribe(opened, [queue]);
    expect(g.state.lowest(queue, 1)).toBe(NOTHING_HOLDS);
    g.deliver(opened, {
      assigned: [
        delivery(1, 150, { queue }),
        delivery(2, 140, { queue }),
        delivery(3, 130, { queue, qos: 1 }),
        delivery(4, 120, { queue, shard: 2 }),
      ],
    });
    expect(g.state.lowest(queue, 1)).toBe(139);
    expect(g.state.sharedUnfinished(queue, 1)).toEqual([140, 150]);
    expect(g.state.lowest(queue, 0)).toBe(NOTHING_HOLDS);
    g.deliver(opened, { completed: [1, 2] });
    expect(g.state.sharedUnfinished(queue, 1)).toEqual([]);
    expect(g.state.lowest(queue, 1)).toBe(NOTHING_HOLDS);
  });
});
