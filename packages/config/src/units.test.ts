import fc from "fast-check";
import { expect, test } from "vitest";
import {
  parseDuration,
  parseNumber,
  parseSeconds,
  parseSize,
  showDuration,
  showSize,
} from "./units.ts";

test.each([
  ["0", 0],
  ["1500", 1500],
  ["1_500", 1500],
  ["200ms", 200],
  ["1.5s", 1500],
  ["1.1s", 1100],
  ["5m", 300_000],
  ["1 h", 3_600_000],
  ["7d", 604_800_000],
  [250, 250],
])("the duration %j is %j ms", (raw, ms) => {
  expect(parseDuration(raw)).toBe(ms);
});

test.each(["", "s", "-1s", "1,5s", "1S", "1 s s", "1KiB", "1s5", "0x10", "1e3", "Infinity", "_1"])(
  "%j is no duration and comes back as it is",
  (raw) => {
    expect(parseDuration(raw)).toBe(raw);
    expect(parseSeconds(raw)).toBe(raw);
  },
);

test.each([
  ["64KiB", 65_536],
  ["1MiB", 1_048_576],
  ["1.5GiB", 1_610_612_736],
  ["10B", 10],
  ["10", 10],
])("the size %j is %j bytes", (raw, bytes) => {
  expect(parseSize(raw)).toBe(bytes);
});

test("sizes have no decimal units, because people disagree about them", () => {
  expect(parseSize("1MB")).toBe("1MB");
  expect(parseSize("1k")).toBe("1k");
});

test("seconds keep a fraction, which the schema then refuses", () => {
  expect(parseSeconds("1500ms")).toBe(1.5);
  expect(parseSeconds("2m")).toBe(120);
});

test("what is not text is left alone", () => {
  for (const raw of [null, undefined, true, [1], { s: 1 }]) {
    expect(parseNumber(raw)).toBe(raw);
    expect(parseSize(raw)).toBe(raw);
  }
});

test("every duration and size survives being shown and parsed", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.constantFrom(1, 1000, 60_000, 1024, 2 ** 20), (n, factor) => {
      const value = Math.floor(n / factor) * factor;
      expect(parseDuration(showDuration(value))).toBe(value);
      expect(parseSize(showSize(value))).toBe(value);
    }),
  );
});
