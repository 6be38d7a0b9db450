import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countLevels, topicNameError, validTopicBytes } from "./name.ts";

describe("topic names", () => {
  function expectError(name: string, error: ReturnType<typeof topicNameError>): void {
    expect(topicNameError(name)).toBe(error);
    expect(validTopicBytes(Buffer.from(name))).toBe(error === undefined);
  }

  test("[MQTT-4.7.3-1] at least one character long", () => {
    expectError("", "empty");
    expectError("/", undefined);
    expectError(" ", undefined);
  });

  test("[MQTT-4.7.0-1] [MQTT-3.3.2-2] no wildcard characters", () => {
    for (const name of ["+", "#", "a/+/b", "a/#", "a+", "#b"]) expectError(name, "wildcard");
  });

  test("[MQTT-4.7.3-2] no U+0000", () => {
    expectError("a\0b", "nul");
  });

  test("[MQTT-4.7.3-3] at most 65,535 bytes", () => {
    expectError("a".repeat(65_535), undefined);
    expectError("a".repeat(65_536), "length");
    expectError("€".repeat(21_845), undefined);
    expectError(`${"€".repeat(21_845)}a`, "length");
  });

  test("[MQTT-1.5.4-1] [MQTT-3.3.2-1] well-formed UTF-8", () => {
    expectError("sensors/Zürich/温度/🌡", undefined);
    expect(topicNameError("a/\ud800")).toBe("surrogate");
    expect(validTopicBytes(Buffer.from([0x61, 0xed, 0xa0, 0x80]))).toBe(false);
  });

  test("may begin with $, hold spaces and empty levels", () => {
    for (const name of ["$SYS/uptime", "/finance", "a//b", "Accounts payable", "a/"]) {
      expectError(name, undefined);
    }
  });

  test("bytes and string agree", () => {
    const name = fc.string({
      unit: fc.constantFrom("a", "/", "+", "#", "\0", "é", "🌳"),
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.oneof(name, fc.string({ unit: "binary" })), (text) => {
        const bytes = Buffer.from(text);
        expect(validTopicBytes(bytes)).toBe(topicNameError(text) === undefined);
        const within = Buffer.concat([Buffer.of(0), bytes, Buffer.of(0)]);
        expect(validTopicBytes(within, 1, within.length - 1)).toBe(validTopicBytes(bytes));
      }),
    );
  });

  test("levels", () => {
    expect(["a", "a/b", "/", "a//", ""].map(countLevels)).toEqual([1, 2, 2, 3, 1]);
  });
});
