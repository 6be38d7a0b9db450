import { DecodeError } from "@canopy/base";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { anyCommand } from "../test/arbitrary.ts";
import type { Command } from "./commands.ts";
import { decodeCommand } from "./decode.ts";
import { encodeCommand } from "./encode.ts";
import type { Progress } from "./port.ts";

// Thousands of random cases, on machines that do other things too.
vi.setConfig({ testTimeout: 30_000 });

describe("the encoding of commands", () => {
  test("gives every command back as it was", () => {
    fc.assert(
      fc.property(anyCommand, (command) => {
        expect(decodeCommand(encodeCommand(command))).toEqual(command);
      }),
      { numRuns: 2_000 },
    );
  });

  test("refuses a command that was cut short or is too long", () => {
    fc.assert(
      fc.property(anyCommand, (command) => {
        const bytes = encodeCommand(command);
        for (let length = 0; length < bytes.length; length++) {
          expect(() => decodeCommand(bytes.subarray(0, length))).toThrow(DecodeError);
        }
        expect(() => decodeCommand(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(DecodeError);
      }),
      { numRuns: 200 },
    );
  });

  test("answers damaged bytes with a command or a DecodeError, nothing else", () => {
    fc.assert(
      fc.property(anyCommand, fc.nat(), fc.nat(255), (command, place, value) => {
        const bytes = encodeCommand(command);
        bytes[place % bytes.length] = value;
        expect(decodeOrError(bytes)).toBeDefined();
      }),
      { numRuns: 2_000 },
    );
  });

  test("refuses other versions and unknown types", () => {
    const bytes = encodeCommand({ type: "tick", at: 5 });
    for (const version of [3, 5]) {
      const other = Buffer.from([version, ...bytes.subarray(1)]);
      expect(() => decodeCommand(other)).toThrow(`version ${version}`);
    }
    expect(() => decodeCommand(Buffer.from([4, 99, 0]))).toThrow("unknown command 99");
  });

  test("does not share memory with the bytes it was read from", () => {
    const request = {
      clientId: "c",
      gateway: 1,
      requestId: 5,
      cleanStart: true,
      expiry: 0,
      will: { record: Buffer.from("record"), delay: 0, expiry: undefined },
      user: undefined,
    };
    const bytes = encodeCommand({ type: "open", at: 0, request });
    const command = decodeCommand(bytes);
    bytes.fill(0);
    expect(command).toMatchObject({
      request: { will: { record: new Uint8Array(Buffer.from("record")) } },
    });
  });

  test("progress of many sessions takes a few bytes each", () => {
    const batch: Progress[] = [];
    for (let i = 0; i < 1_000; i++) {
      batch.push({
        incarnation: 5_000_000 + i * 3,
        epoch: 7,
        cursors: [i % 16, 2 ** 40 + 1_000 + (i % 50)],
        done: [],
        drained: [],
        retainedAfter: [],
        retainedSent: [],
      });
    }
    const bytes = encodeCommand({ type: "progress", at: 1e9, batch });
    expect(bytes.length / batch.length).toBeLessThan(10);
  });
});

function decodeOrError(bytes: Uint8Array): Command | DecodeError {
  try {
    return decodeCommand(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}
