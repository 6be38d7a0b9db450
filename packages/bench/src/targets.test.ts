import { expect, test } from "vitest";
import type { Row } from "./scenarios/row.ts";
import { isMet, ratio } from "./targets.ts";

const row = (name: string, value: number, unit: Row["unit"] = "msg/s"): Row => ({
  name,
  title: name,
  unit,
  value,
  faults: "",
});

test("a ratio above 1 is better, whatever the unit", () => {
  expect(ratio(row("qos0", 20), row("qos0", 10))).toBe(2);
  expect(ratio(row("idle", 10, "B"), row("idle", 20, "B"))).toBe(2);
  expect(ratio(row("idle", 10, "B"), undefined)).toBeUndefined();
});

test("a target is a ratio to Mosquitto, and to be ahead of aedes", () => {
  expect(isMet(row("qos0", 100), row("qos0", 10), row("qos0", 50))).toBe(true);
  expect(isMet(row("qos0", 99), row("qos0", 10), undefined)).toBe(false);
  expect(isMet(row("qos0", 100), row("qos0", 10), row("qos0", 101))).toBe(false);
  expect(isMet(row("qos0", 100), undefined, undefined)).toBeUndefined();
});

test("or a bound", () => {
  expect(isMet(row("latency-p99", 1.9, "ms"), undefined, undefined)).toBe(true);
  expect(isMet(row("latency-p99", 2, "ms"), undefined, undefined)).toBe(false);
});
