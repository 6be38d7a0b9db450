import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { validUtf8 } from "./utf8.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodes(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function valid(...bytes: number[]): boolean {
  return validUtf8(Buffer.from(bytes));
}

describe("validUtf8", () => {
  test("[MQTT-1.5.4-1] well-formed by RFC 3629: every code point but the surrogates", () => {
    for (let point = 1; point <= 0x10ffff; point++) {
      const surrogate = point >= 0xd800 && point <= 0xdfff;
      // Encoded by hand, as no encoder writes a surrogate.
      const bytes = encoded(point);
      if (validUtf8(bytes) === surrogate) throw new Error(`U+${point.toString(16)}`);
    }
    expect(valid(0xed, 0x9f, 0xbf)).toBe(true);
    expect(valid(0xed, 0xa0, 0x80)).toBe(false);
    expect(valid(0xee, 0x80, 0x80)).toBe(true);
  });

  test("[MQTT-1.5.4-1] no overlong forms, nothing beyond U+10FFFF, nothing cut short", () => {
    const broken = [
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x9f, 0xbf],
      [0xf0, 0x8f, 0xbf, 0xbf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xff],
      [0x80],
      [0x61, 0xbf],
      [0xc3],
      [0xe2, 0x82],
      [0xf0, 0x9f, 0x98],
      [0xe2, 0x28, 0xa1],
      [0xe2, 0x82, 0x28],
      [0xf0, 0x9f, 0x98, 0x28],
    ];
    expect(broken.filter((bytes) => valid(...bytes))).toEqual([]);
  });

  test("[MQTT-1.5.4-2] no U+0000", () => {
    expect(valid(0x61, 0x00, 0x62)).toBe(false);
  });

  test("[MQTT-1.5.4-3] U+FEFF is a character like others", () => {
    expect(valid(0xef, 0xbb, 0xbf)).toBe(true);
  });

  test("control characters and non-characters are accepted", () => {
    expect(valid(0x01, 0x1f, 0x7f)).toBe(true);
    expect(valid(0xc2, 0x9f)).toBe(true);
    expect(valid(0xef, 0xbf, 0xbf)).toBe(true);
  });

  test("looks at its part of the bytes only", () => {
    const bytes = Buffer.from([0xff, 0x61, 0xc3, 0xa9]);
    expect(validUtf8(bytes, 1, 4)).toBe(true);
    expect(validUtf8(bytes, 1, 3)).toBe(false);
    expect(validUtf8(bytes, 4, 4)).toBe(true);
  });

  test("[MQTT-1.5.4-1] agrees with a strict decoder", () => {
    // The bytes at which the rules change.
    const edges = Buffer.from("01417f808f909fa0bfc1c2dfe0e1ecedeeeff0f1f3f4f5", "hex");
    const nearUtf8 = fc.constantFrom(...edges);
    const bytes = fc.oneof(
      fc.array(nearUtf8, { maxLength: 8 }).map((list) => Uint8Array.from(list)),
      fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        expect(validUtf8(input)).toBe(decodes(input) && !input.includes(0));
      }),
      { numRuns: 5000 },
    );
  });
});

function encoded(point: number): Uint8Array {
  const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x80) return Uint8Array.of(point);
  if (point < 0x800) return Uint8Array.of(0xc0 | (point >> 6), tail(0));
  if (point < 0x10000) return Uint8Array.of(0xe0 | (point >> 12), tail(6), tail(0));
  return Uint8Array.of(0xf0 | (point >> 18), tail(12), tail(6), tail(0));
}
