import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { DecodeError } from "./errors.ts";

const { MAX_SAFE_INTEGER } = Number;
const byte = fc.integer({ min: 0, max: 0xff });
const safe = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constant(MAX_SAFE_INTEGER));

type Value =
  | { kind: "u8" | "u16" | "u32" | "u64" | "f64" | "varint"; value: number }
  | { kind: "bool"; value: boolean }
  | { kind: "string"; value: string }
  | { kind: "bytes"; value: Uint8Array };

function of<K, T>(kind: K, value: fc.Arbitrary<T>): fc.Arbitrary<{ kind: K; value: T }> {
  return fc.record({ kind: fc.constant(kind), value });
}

const anyValue: fc.Arbitrary<Value> = fc.oneof(
  of("u8" as const, byte),
  of("u16" as const, fc.integer({ min: 0, max: 0xffff })),
  of("u32" as const, fc.integer({ min: 0, max: 0xffffffff })),
  of("u64" as const, safe),
  of("f64" as const, fc.double()),
  of("varint" as const, safe),
  of("bool" as const, fc.boolean()),
  of("string" as const, fc.string({ unit: "binary", maxLength: 80 })),
  of("bytes" as const, fc.uint8Array({ maxLength: 400 })),
);

function write(writer: ByteWriter, { kind, value }: Value): void {
  if (kind === "bool") writer.bool(value);
  else if (kind === "string") writer.string(value);
  else if (kind === "bytes") writer.bytes(value);
  else writer[kind](value);
}

function varint(...bytes: number[]): number {
  return new ByteReader(Buffer.from(bytes)).varint();
}

describe("ByteWriter and ByteReader", () => {
  test("read back what was written", () => {
    fc.assert(
      fc.property(fc.array(anyValue), (values) => {
        const writer = new ByteWriter(8);
        for (const value of values) write(writer, value);
        const taken = writer.take();
        expect(writer.length).toBe(0);
        const reader = new ByteReader(taken);
        for (const { kind, value } of values) {
          const read = reader[kind]();
          expect(kind === "bytes" ? Uint8Array.from(read as Buffer) : read).toEqual(value);
        }
        reader.expectEnd();
      }),
    );
  });

  test("throw a DecodeError for every truncation", () => {
    fc.assert(
      fc.property(anyValue, fc.nat(), (value, cut) => {
        const writer = new ByteWriter();
        write(writer, value);
        const whole = writer.take();
        const reader = new ByteReader(whole, 0, cut % whole.length);
        expect(() => reader[value.kind]()).toThrow(DecodeError);
      }),
    );
  });

  test("varint: unsigned LEB128 in its shortest form", () => {
    const cases: [number, number[]][] = [
      [0, [0]],
      [127, [0x7f]],
      [128, [0x80, 0x01]],
      [300, [0xac, 0x02]],
      [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
      [MAX_SAFE_INTEGER, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ];
    for (const [value, bytes] of cases) {
      const writer = new ByteWriter();
      writer.varint(value);
      expect([...writer.view()]).toEqual(bytes);
      expect(varint(...bytes)).toBe(value);
    }
  });

  test("varint: refuses what is too large, too long or padded", () => {
    expect(() => varint(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10)).toThrow(DecodeError);
    expect(() => varint(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)).toThrow(DecodeError);
    expect(() => varint(0x80, 0x00)).toThrow(DecodeError);
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => new ByteWriter().varint(value)).toThrow(RangeError);
      expect(() => new ByteWriter().u64(value)).toThrow(RangeError);
    }
  });

  test("u64: byte order is number order", () => {
    fc.assert(
      fc.property(safe, safe, (a, b) => {
        const [x, y] = [a, b].map((value) => {
          const writer = new ByteWriter();
          writer.u64(value);
          return writer.take();
        }) as [Buffer, Buffer];
        expect(x.compare(y)).toBe(Math.sign(a - b));
      }),
    );
  });

  test("u64: refuses what is beyond 2^53", () => {
    expect(() => new ByteReader(Buffer.alloc(8, 0xff)).u64()).toThrow(DecodeError);
  });

  test("bool: refuses other bytes", () => {
    expect(() => new ByteReader(Buffer.of(2)).bool()).toThrow(DecodeError);
  });

  test("a gap is patched later", () => {
    const writer = new ByteWriter();
    writer.u8(1);
    const at = writer.gap(7);
    writer.u8(2);
    writer.patchU8(at, 3);
    writer.patchU16(at + 1, 0x0405);
    writer.patchU32(at + 3, 0x86070809);
    expect([...writer.view()]).toEqual([1, 3, 4, 5, 0x86, 7, 8, 9, 2]);
  });

  test("raw takes a part of the bytes, short or long", () => {
    const bytes = Buffer.from(Array.from({ length: 100 }, (_, i) => i));
    for (const [start, end] of [
      [0, 100],
      [10, 90],
      [10, 20],
      [5, 5],
    ] as const) {
      const writer = new ByteWriter(1);
      writer.raw(bytes, start, end);
      expect(writer.take()).toEqual(bytes.subarray(start, end));
    }
  });

  test("a taken buffer does not change with later writes", () => {
    const writer = new ByteWriter();
    writer.string("first");
    const taken = writer.take();
    writer.string("other");
    expect(new ByteReader(taken).string()).toBe("first");
  });

  test("a reset writer goes on, also after a large message", () => {
    const writer = new ByteWriter();
    writer.bytes(Buffer.alloc(3 << 20));
    writer.reset();
    writer.u8(7);
    expect([...writer.view()]).toEqual([7]);
  });

  test("a reader stays within its part of the buffer", () => {
    const reader = new ByteReader(Buffer.of(1, 2, 3, 4), 1, 3);
    expect(reader.u8()).toBe(2);
    expect(reader.position).toBe(2);
    expect(reader.remaining).toBe(1);
    expect(() => reader.skip(2)).toThrow(DecodeError);
    expect(() => reader.expectEnd()).toThrow(DecodeError);
    reader.skip(1);
    reader.expectEnd();
    expect(() => new ByteReader(Buffer.of(1), 0, 2)).toThrow(DecodeError);
  });
});
