import type { Append } from "@canopy/store";
import { appendOf, change } from "@canopy/store/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeMoved, encodeRecord } from "./encode.ts";
import { appendsOf } from "./meta.ts";
import { bodyOf, decodeRecord } from "./record.ts";

const name = fc.string({ unit: "grapheme", maxLength: 12 });
const list = fc.array(
  fc.record({
    body: fc.uint8Array({ maxLength: 20 }),
    queues: fc.uniqueArray(name, { maxLength: 3 }),
    retain: name,
    expiry: fc.constantFrom(0, 0, 1.8e12),
  }),
  { maxLength: 6 },
);
const appends = fc
  .array(
    fc.record({
      drafts: list,
      gap: fc.constantFrom(0, 0, 7, 2 ** 33),
      receipts: fc.array(
        fc.record({ session: fc.maxSafeNat(), key: fc.nat(2 ** 22), add: fc.boolean() }),
        { maxLength: 2 },
      ),
      endedSessions: fc.array(fc.maxSafeNat(), { maxLength: 2 }),
      senders: fc.array(fc.record({ sender: name, term: fc.maxSafeNat(), seq: fc.maxSafeNat() }), {
        maxLength: 2,
      }),
      progress: fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 5 })), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((items) => {
    let next = 2 ** 32 + 1;
    return items.map(({ drafts, gap, progress, ...rest }): Append => {
      const append = { ...appendOf(next + gap, drafts), ...rest, progress: new Map(progress) };
      if (drafts.length > 0) next = append.first + drafts.length;
      return append;
    });
  });

/** Bodies and names as text, so that Buffer and Uint8Array compare. */
function plain(append: Append): unknown {
  return {
    ...append,
    bodies: Buffer.from(append.bodies).toString("hex"),
    postings: [...append.postings].filter(([, indexes]) => indexes.length > 0),
    progress: Array.from(append.progress, ([queue, value]) => [
      queue,
      Buffer.from(value).toString("hex"),
    ]),
  };
}

test("a record gives back the appends that went into it", () => {
  fc.assert(
    fc.property(appends, fc.nat(8), (given, shift) => {
      const { bytes } = encodeRecord(given);
      // As LevelDB may hand it over: at any place in memory.
      const memory = Buffer.alloc(bytes.length + shift);
      memory.set(bytes, shift);
      const record = decodeRecord(memory.subarray(shift));
      expect(appendsOf(record).map(plain)).toEqual(given.map(plain));
      for (const { first, ends, bodies } of given) {
        ends.forEach((end, i) => {
          const body = bodies.subarray(i === 0 ? 0 : ends[i - 1], end);
          expect(bodyOf(record, first + i)?.equals(body)).toBe(true);
        });
      }
    }),
  );
});

test("appends whose offsets follow each other share a part", () => {
  const record = encodeRecord([
    appendOf(10, [{ body: "a" }, { body: "b" }]),
    change({}),
    appendOf(12, [{ body: "c" }]),
    appendOf(20, [{ body: "d" }]),
  ]);
  expect(record.parts.map(({ first, count }) => [first, count])).toEqual([
    [10, 3],
    [20, 1],
  ]);
  expect([9, 12, 13, 20].map((offset) => bodyOf(record, offset)?.toString())).toEqual([
    undefined,
    "c",
    undefined,
    "d",
  ]);
});

test("moved messages keep their offsets and expiries", () => {
  const record = encodeMoved([
    { offset: 5, body: Buffer.from("five"), expiry: 0 },
    { offset: 2 ** 40, body: Buffer.from(""), expiry: 77 },
  ]);
  expect(bodyOf(record, 5)?.toString()).toBe("five");
  expect(bodyOf(record, 2 ** 40)?.toString()).toBe("");
  expect(bodyOf(record, 6)).toBeUndefined();
  expect([...(record.parts[0]?.expiries ?? [])]).toEqual([0, 77]);
});

test("bytes that no writer of ours made are corrupt", () => {
  const { bytes } = encodeRecord([appendOf(10, [{ body: "abc", queues: ["q"] }])]);
  for (const wrong of [
    bytes.subarray(0, 9),
    bytes.subarray(0, bytes.length - 1),
    Buffer.alloc(3),
  ]) {
    expect(() => decodeRecord(Buffer.from(wrong))).toThrow(
      expect.objectContaining({ code: "corrupt" }),
    );
  }
});
