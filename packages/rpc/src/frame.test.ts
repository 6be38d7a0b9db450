import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts";
import { FrameSchema } from "./gen/canopy/stream/v1/frame_pb.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const frames: fc.Arbitrary<Frame> = fc.record({
  // An empty one is the same as none, as with every field of protobuf.
  opening: fc.option(fc.uint8Array({ minLength: 1, maxLength: 300 }), { nil: undefined }),
  window: fc.maxSafeNat(),
  acknowledged: fc.maxSafeNat(),
  first: fc.maxSafeNat(),
  messages: fc.array(bytes, { maxLength: 5 }),
  last: fc.boolean(),
});

function generated(frame: Frame) {
  return create(FrameSchema, {
    opening: frame.opening ?? new Uint8Array(),
    window: BigInt(frame.window),
    acknowledged: BigInt(frame.acknowledged),
    first: BigInt(frame.first),
    messages: frame.messages.map((message) => Buffer.from(message)),
    last: frame.last,
  });
}

test("a frame is what the generated code makes and reads", () => {
  fc.assert(
    fc.property(frames, (frame) => {
      const encoded = encodeFrame(frame);
      expect(encoded).toEqual(Buffer.from(toBinary(FrameSchema, generated(frame))));
      expect(toBinary(FrameSchema, fromBinary(FrameSchema, encoded))).toEqual(
        Uint8Array.from(encoded),
      );
      const { opening, messages, ...numbers } = decodeFrame(encoded);
      expect(numbers).toEqual({
        last: frame.last,
        window: frame.window,
        acknowledged: frame.acknowledged,
        first: frame.first,
      });
      expect(opening && Uint8Array.from(opening)).toEqual(frame.opening);
      expect(messages.map((message) => Uint8Array.from(message))).toEqual(frame.messages);
    }),
  );
});

test("fields of a later version are skipped, what is no frame is refused", () => {
  const later = Buffer.from([0x98, 0x06, 0x05, 0x9d, 0x06, 1, 2, 3, 4, 0x92, 0x06, 1, 9, 0x20, 7]);
  expect(decodeFrame(later)).toMatchObject({ first: 7, messages: [] });
  expect(() => decodeFrame(Buffer.of(0x2a, 200, 1))).toThrow("left");
  expect(() => decodeFrame(Buffer.of(0x2f))).toThrow("wire type");
});
