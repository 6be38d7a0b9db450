import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OutboundAliases } from "./aliases.ts";

describe("OutboundAliases", () => {
  test("[MQTT-3.3.2-11] [MQTT-3.1.2-26] the first topics get one each, up to the maximum", () => {
    const aliases = new OutboundAliases(2);
    expect(["a", "b", "c", "a", "b", "c"].map((topic) => aliases.use(topic))).toEqual([
      -1, -2, 0, 1, 2, 0,
    ]);
  });

  test("[MQTT-3.1.2-27] none where the maximum is 0", () => {
    expect(new OutboundAliases(0).use("a")).toBe(0);
  });

  test("[MQTT-3.3.2-8] [MQTT-3.3.2-11] what is sent is understood, and never above the maximum", () => {
    const topic = fc.constantFrom("a", "b", "c", "d", "e", "f");
    fc.assert(
      fc.property(fc.nat({ max: 5 }), fc.array(topic), (maximum, topics) => {
        const aliases = new OutboundAliases(maximum);
        const client = new Map<number, string>();
        for (const name of topics) {
          const alias = aliases.use(name);
          if (alias < 0) client.set(-alias, name);
          const understood = alias > 0 ? client.get(alias) : name;
          expect(understood).toBe(name);
        }
        expect(Math.max(0, ...client.keys())).toBeLessThanOrEqual(maximum);
      }),
    );
  });
});
