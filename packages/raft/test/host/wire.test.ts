import { DecodeError } from "@canopy/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Configuration, Entry, Message, SnapshotMeta } from "../../src/core/types.ts";
import type { Batch, Beat, Hello, SnapshotOffer } from "../../src/transport/port.ts";
import { decodeBatch, decodeOffer, encodeBatch, encodeOffer } from "../../src/wire/batch.ts";

const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const name = fc.string({ maxLength: 12, unit: "grapheme" });
const ids = fc.array(number, { maxLength: 5 });
const members = fc
  .array(fc.tuple(number, fc.record({ name, disk: number })), { maxLength: 5 })
  .map((pairs) => new Map(pairs));

const configuration: fc.Arbitrary<Configuration> = fc.record({
  voters: ids,
  outgoing: ids,
  learners: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
  highest: number,
  nodes: members,
});
const meta: fc.Arbitrary<SnapshotMeta> = fc.record({ index: number, term: number, configuration });

const place = { from: number, to: number, term: number };
const bytes = fc.uint8Array({ maxLength: 40 }).map((data) => Buffer.from(data));
const kind = fc.constantFrom(0 as const, 1 as const, 2 as const);

const append: fc.Arbitrary<Message> = fc
  .record({
    ...place,
    prevIndex: fc.nat(2 ** 31),
    prevTerm: number,
    commit: number,
    bodies: fc.array(fc.record({ term: number, kind, data: bytes }), { maxLength: 6 }),
  })
  .map(({ bodies, ...rest }) => {
    const entries: Entry[] = bodies.map((body, i) => ({ index: rest.prevIndex + 1 + i, ...body }));
    return { type: "append", ...rest, entries };
  });

const message: fc.Arbitrary<Message> = fc.oneof(
  append,
  fc.record({
    type: fc.constantFrom("vote" as const, "preVote" as const),
    ...place,
    lastIndex: number,
    lastTerm: number,
    force: fc.boolean(),
  }),
  fc.record({
    type: fc.constantFrom("voteAnswer" as const, "preVoteAnswer" as const),
    ...place,
    granted: fc.boolean(),
    commit: number,
    commitTerm: number,
  }),
  fc.record({
    type: fc.constant("appendAnswer" as const),
    ...place,
    index: number,
    rejected: fc.boolean(),
    hintIndex: number,
    hintTerm: number,
  }),
  fc.record({ type: fc.constant("heartbeat" as const), ...place, commit: number, context: number }),
  fc.record({ type: fc.constant("heartbeatAnswer" as const), ...place, context: number }),
  fc.record({ type: fc.constant("snapshot" as const), ...place, snapshot: meta }),
  fc.record({ type: fc.constant("timeoutNow" as const), ...place }),
  fc.record({ type: fc.constant("readIndex" as const), ...place, context: number }),
  fc.record({
    type: fc.constant("readIndexAnswer" as const),
    ...place,
    context: number,
    index: number,
  }),
);

const beat: fc.Arbitrary<Beat> = fc.record({
  kind: fc.constantFrom(0 as const, 1 as const, 2 as const, 3 as const, 4 as const),
  group: number,
  ...place,
  commit: number,
  context: number,
});

const hello: fc.Arbitrary<Hello> = fc.oneof(
  fc.record({ type: fc.constantFrom("ask" as const, "answer" as const), token: number }),
  fc.record({ type: fc.constant("founding" as const), group: number, from: number, members }),
  fc.record({ type: fc.constant("founded" as const), group: number, members }),
  fc.record({ type: fc.constant("absent" as const), group: number }),
  fc.record({ type: fc.constant("started" as const) }),
);

const batch: fc.Arbitrary<Batch> = fc.record({
  from: name,
  disk: number,
  envelopes: fc.array(fc.record({ group: number, message }), { maxLength: 5 }),
  beats: fc.array(beat, { maxLength: 5 }),
  hellos: fc.array(hello, { maxLength: 3 }),
});

const offer: fc.Arbitrary<SnapshotOffer> = fc.record({
  group: number,
  ...place,
  meta,
  size: number,
});

/** Throws nothing but a DecodeError. */
function attempt(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

describe("the wire format", () => {
  test("gives a batch back as it was", () => {
    fc.assert(
      fc.property(batch, (given) => {
        expect(decodeBatch(encodeBatch(given))).toEqual(given);
      }),
      { numRuns: 500 },
    );
  });

  test("gives an offer back as it was", () => {
    fc.assert(
      fc.property(offer, (given) => {
        expect(decodeOffer(encodeOffer(given))).toEqual(given);
      }),
    );
  });

  test("cut anywhere, or with something behind, is refused", () => {
    fc.assert(
      fc.property(batch, (given) => {
        const whole = encodeBatch(given);
        for (let size = 0; size < whole.length; size++) {
          expect(attempt(() => decodeBatch(whole.subarray(0, size)))).toBe(false);
        }
        expect(attempt(() => decodeBatch(Buffer.concat([whole, Buffer.of(0)])))).toBe(false);
      }),
    );
  });

  test("with changed bytes is refused with a DecodeError or is another batch, and no more", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(batch, changes, (given, places) => {
        const damaged = encodeBatch(given);
        for (const [at, value] of places) damaged[at % damaged.length] = value;
        attempt(() => decodeBatch(damaged));
        attempt(() => decodeOffer(damaged));
      }),
      { numRuns: 1_000 },
    );
  });

  test("of anything at all is refused with a DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        attempt(() => decodeBatch(Buffer.from([1, ...data])));
        attempt(() => decodeOffer(Buffer.from([1, ...data])));
      }),
      { numRuns: 2_000 },
    );
  });

  test("of another version is refused", () => {
    const bytesOf = encodeBatch({ from: "n1", disk: 1, envelopes: [], beats: [], hellos: [] });
    bytesOf[0] = 2;
    expect(() => decodeBatch(bytesOf)).toThrow("wire format 2; this program speaks 1");
  });
});
