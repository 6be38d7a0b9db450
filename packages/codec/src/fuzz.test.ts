import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addAll, topicOf } from "../test/records.ts";
import {
  bytes,
  connect,
  connectOf,
  packet,
  props,
  publish,
  Recorder,
  refusal,
  type Seen,
  str,
  u16,
  u32,
  userProperty,
  varint,
} from "../test/wire.ts";
import { Decoder, type PublishView, RecordBatch, RecordView } from "./index.ts";

// Whatever the bytes, the decoder either tells of packets or throws MalformedPacket.

const MAX = 4096;
const rich = bytes(
  [0x01, 1],
  [0x02, ...u32(7)],
  [0x03, ...str("tä")],
  [0x08, ...str("re/ply")],
  [0x09, ...str([0, 1])],
  [0x23, ...u16(5)],
  userProperty("k", "v"),
);
const will = bytes(str("c"), props(0x18, u32(9), 0x01, 1), str("w"), str("p"), str("u"), str("q"));
const valid: readonly Buffer[] = [
  connect({ properties: props(0x11, u32(9), 0x15, str("m"), 0x16, str("d")) }),
  connect({ flags: 0xee, payload: will }),
  publish(rich, { qos: 1 }),
  publish([], { qos: 2, payload: Buffer.alloc(200, 7) }),
  publish(),
  packet(0x40, u16(1)),
  packet(0x50, u16(2), 0x10),
  packet(0x62, u16(3), 0x92, props(0x1f, str("r"), userProperty("a", "b"))),
  packet(0x70, u16(4), 0, 0),
  packet(0x82, u16(5), props(0x0b, varint(300)), str("a/#"), 0x29, str("$share/g/b"), 1),
  packet(0xa2, u16(6), 0, str("a/#"), str("b")),
  packet(0xc0),
  packet(0xe0, 0x04, props(0x11, u32(5), 0x1f, str("bye"))),
  packet(0xf0, 0x18, props(0x15, str("m"), 0x16, str("d"))),
];

const anyBytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value));
const mutation = fc.tuple(fc.constantFrom("set", "cut", "insert", "drop"), fc.nat(), fc.nat(255));
const mutated = fc
  .tuple(fc.constantFrom(...valid), fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([frame, changes]) => changes.reduce((out, change) => mutate(out, ...change), frame));

function mutate(frame: Buffer, kind: string, where: number, value: number): Buffer {
  const at = frame.length === 0 ? 0 : where % frame.length;
  const rest = frame.subarray(at);
  if (kind === "cut") return Buffer.from(frame.subarray(0, at));
  if (kind === "drop") return bytes(frame.subarray(0, at), rest.subarray(1));
  return bytes(frame.subarray(0, at), value, kind === "set" ? rest.subarray(1) : rest);
}

interface Outcome {
  readonly seen: Seen[];
  readonly code: number | undefined;
}

/** Feeds the chunks and checks on the way what must hold of any bytes. */
function feed(first: Buffer, chunks: readonly Buffer[]): Outcome {
  const decoder = new Decoder({ maxPacketSize: MAX });
  const recorder = new Recorder();
  const code = refusal(() => {
    for (const chunk of [first, ...chunks]) {
      decoder.decode(chunk, recorder);
      expect(decoder.buffered).toBeLessThanOrEqual(MAX + 5);
    }
  });
  return { seen: recorder.seen, code };
}

function split(whole: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(whole.subarray(at, at + size));
    at += size;
  }
  return [...chunks, whole.subarray(at)];
}

const opening = fc.constantFrom(Buffer.alloc(0), connectOf(3), connectOf(4), connectOf(5));
const sizes = fc.array(fc.nat(40), { maxLength: 20 });
const runs = { numRuns: 2000 };

describe("any bytes", () => {
  it("are packets or a MalformedPacket, however they are cut", () => {
    fc.assert(
      fc.property(opening, anyBytes, sizes, (first, whole, cuts) => {
        expect(feed(first, split(whole, cuts))).toEqual(feed(first, [whole]));
      }),
      runs,
    );
  });

  it("that were valid packets before are packets or a MalformedPacket, however they are cut", () => {
    const several = fc.array(mutated, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(opening, several, sizes, (first, frames, cuts) => {
        const whole = Buffer.concat(frames);
        expect(feed(first, split(whole, cuts))).toEqual(feed(first, [whole]));
      }),
      runs,
    );
  });

  it("as the body of any packet are that packet or a MalformedPacket", () => {
    fc.assert(
      fc.property(opening, fc.nat(255), anyBytes, (first, header, body) => {
        const { seen, code } = feed(first, [packet(header, body)]);
        const told = seen.length - (first.length > 0 ? 1 : 0);
        expect(told).toBe(code === undefined ? 1 : 0);
      }),
      runs,
    );
  });

  it("as the properties of any packet are that packet or a MalformedPacket", () => {
    const heads: readonly ((list: Buffer) => Buffer)[] = [
      (list) => connect({ properties: props(list) }),
      (list) => connect({ flags: 4, payload: bytes(str("c"), props(list), str("t"), str("w")) }),
      (list) => publish(list, { qos: 1 }),
      (list) => packet(0x40, u16(1), 0, props(list)),
      (list) => packet(0x82, u16(1), props(list), str("a"), 0),
      (list) => packet(0xa2, u16(1), props(list), str("a")),
      (list) => packet(0xe0, 0, props(list)),
      (list) => packet(0xf0, 0x18, props(list)),
    ];
    const property = fc
      .tuple(fc.nat(0x2b), fc.uint8Array({ maxLength: 8 }), fc.boolean())
      .map(([id, value, long]) => bytes(id, long ? str(value) : value));
    const list = fc.array(property, { maxLength: 4 }).map((parts) => Buffer.concat(parts));
    fc.assert(
      fc.property(fc.constantFrom(...heads), list, (head, properties) => {
        const { seen, code } = feed(connectOf(5), [head(properties)]);
        expect(seen.length).toBe(code === undefined ? 2 : 1);
      }),
      runs,
    );
  });
});

describe("valid packets", () => {
  it("are the same packets, cut at every place", () => {
    const whole = Buffer.concat(valid);
    const wanted = feed(Buffer.alloc(0), [whole]);
    expect(wanted).toMatchObject({ code: undefined, seen: { length: valid.length } });
    for (let cut = 0; cut <= whole.length; cut++) {
      const halves = [whole.subarray(0, cut), whole.subarray(cut)];
      expect(feed(Buffer.alloc(0), halves), `cut ${cut}`).toEqual(wanted);
    }
  });

  it("are the same packets with pauses anywhere", () => {
    const whole = Buffer.concat(valid);
    const wanted = feed(Buffer.alloc(0), [whole]).seen;
    fc.assert(
      fc.property(sizes, fc.array(fc.boolean(), { maxLength: 40 }), (cuts, pauses) => {
        const decoder = new Decoder({ maxPacketSize: MAX });
        const recorder = new Recorder();
        const left = [...pauses];
        const pause = () => {
          if (left.shift() === true) decoder.paused = true;
        };
        const sink = {
          publish: (view: PublishView) => (recorder.publish(view), pause()),
          ack: (view: Parameters<Recorder["ack"]>[0]) => (recorder.ack(view), pause()),
          packet: (one: Parameters<Recorder["packet"]>[0]) => (recorder.packet(one), pause()),
        };
        for (const chunk of split(whole, cuts)) {
          decoder.decode(chunk, sink);
          if (left.shift() === true) decoder.resume(sink);
        }
        while (decoder.paused) decoder.resume(sink);
        expect(recorder.seen).toEqual(wanted);
        expect(decoder.buffered).toBe(0);
      }),
    );
  });
});

describe("records of any PUBLISH", () => {
  it("hold what was sent", () => {
    const view = new RecordView();
    const batch = new RecordBatch();
    fc.assert(
      fc.property(mutated, (frame) => {
        const decoder = new Decoder({ maxPacketSize: MAX });
        const recorder = new Recorder();
        batch.reset();
        const whole = Buffer.concat([connectOf(5), frame]);
        refusal(() => decoder.decode(whole, recorder));
        refusal(() => {
          addAll(batch, new Decoder({ maxPacketSize: MAX }), whole, { topic: topicOf("t") });
        });
        const messages = recorder.seen.filter((one) => one.type === "publish");
        expect(batch.count).toBe(messages.length);
        for (const [i, message] of messages.entries()) {
          view.set(batch.bytes, batch.starts[i] ?? -1, batch.ends[i] ?? -1);
          const payload = batch.bytes.subarray(view.payloadStart, view.payloadEnd);
          expect(payload.equals(message.payload)).toBe(true);
          const dropped = (message.topicAlias < 0 ? 0 : 3) + (message.messageExpiry < 0 ? 0 : 5);
          const kept = view.propertiesEnd - view.propertiesStart;
          expect(kept).toBe(message.properties.length - dropped);
        }
      }),
      runs,
    );
  });
});
