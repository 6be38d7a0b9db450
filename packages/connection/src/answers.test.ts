import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Answers } from "./answers.ts";

describe("Answers", () => {
  test("[MQTT-4.6.0-2] [MQTT-4.6.0-3] leave in the order of their questions, each once", () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constant("add" as const) },
        {
          weight: 2,
          arbitrary: fc.record({ at: fc.nat(), code: fc.integer({ min: 0, max: 255 }) }),
        },
      ),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const answers = new Answers();
        const open: number[] = [];
        const codes = new Map<number, number>();
        const sent: (readonly [packetId: number, code: number])[] = [];
        for (const step of all) {
          if (step === "add") {
            open.push(answers.add(4, open.length + codes.size + 1));
          } else if (open.length > 0) {
            const [slot] = open.splice(step.at % open.length, 1) as [number];
            codes.set(slot, step.code);
            answers.settle(slot, step.code, (_type, packetId, code) => sent.push([packetId, code]));
          }
        }
        const due = [...codes.keys()].sort((a, b) => a - b).filter((slot, i) => slot === i);
        expect(sent).toEqual(due.map((slot) => [slot + 1, codes.get(slot)]));
        expect(answers.size).toBe(open.length + codes.size - sent.length);
      }),
    );
  });

  test("thousands that wait for the first leave at once, and slots go on", () => {
    const answers = new Answers();
    const sent: number[] = [];
    const settle = (slot: number) =>
      answers.settle(slot, 0, (_type, packetId) => {
        sent.push(packetId);
      });
    for (let id = 1; id <= 5000; id++) answers.add(id % 2 === 0 ? 4 : 5, id);
    for (let slot = 1; slot < 4000; slot++) settle(slot);
    expect(sent).toEqual([]);
    settle(0);
    expect(sent).toHaveLength(4000);
    expect(answers.size).toBe(1000);
    expect(answers.add(4, 5001)).toBe(5000);
    for (let slot = 5000; slot >= 4000; slot--) settle(slot);
    expect(sent).toEqual(Array.from({ length: 5001 }, (_, i) => i + 1));
    expect(answers.size).toBe(0);
    expect(answers.add(5, 1)).toBe(5001);
  });
});
