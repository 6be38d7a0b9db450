import { DecodeError } from "@canopy/base";
import fc from "fast-check";
import { expect, test } from "vitest";
import { commandArbitrary } from "../test/arbitrary.ts";
import { decodeCommand } from "./decode.ts";
import { encodeCommand } from "./encode.ts";

test("every command comes back from its bytes as it was", () => {
  fc.assert(
    fc.property(commandArbitrary, (command) => {
      expect(decodeCommand(encodeCommand(command))).toEqual(command);
    }),
  );
});

test("what no encoder has made is a decode error, whatever it is", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
      const read = readAndWritten(bytes);
      // What can be read is what is written for it, but for strings that are no UTF-8.
      const isText = !new TextDecoder().decode(bytes).includes("\uFFFD");
      expect(read === undefined || !isText || read === Buffer.from(bytes).toString("hex")).toBe(
        true,
      );
    }),
  );
  expect(() => decodeCommand(Uint8Array.of(2, 1, 1, 1))).toThrow(DecodeError);
  expect(() => decodeCommand(Uint8Array.of(1, 99))).toThrow(DecodeError);
  expect(() => decodeCommand(Uint8Array.of(1, 3, 5, 5))).toThrow(DecodeError);
});

test("the bytes on disk are those that they were", () => {
  const hex = (command: Parameters<typeof encodeCommand>[0]) =>
    Buffer.from(encodeCommand(command)).toString("hex");
  expect(hex({ type: "create", shards: 16, groups: 4 })).toBe("01011004");
  expect(hex({ type: "join", kind: "store", name: "s", address: "a", disk: "d", token: "t" })).toBe(
    "0102010173016101640174",
  );
  expect(hex({ type: "gateway-down", incarnation: 300 })).toBe("0103ac02");
  expect(hex({ type: "assign", assignments: [{ shard: 1, owner: 2, epoch: 3 }] })).toBe(
    "010601010203",
  );
});

/** In hex; undefined where it can't be read. */
function readAndWritten(bytes: Uint8Array): string | undefined {
  try {
    return Buffer.from(encodeCommand(decodeCommand(bytes))).toString("hex");
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
