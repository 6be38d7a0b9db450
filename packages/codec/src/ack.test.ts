import { describe, expect, it } from "vitest";
import { bytes, decode, packet, props, refusal, str, u16, userProperty } from "../test/wire.ts";

const types = [
  ["PUBACK", 4, 0x40, "[MQTT-3.4.2-1]"],
  ["PUBREC", 5, 0x50, "[MQTT-3.5.2-1]"],
  ["PUBREL", 6, 0x62, "[MQTT-3.6.2-1]"],
  ["PUBCOMP", 7, 0x70, "[MQTT-3.7.2-1]"],
] as const;

const published = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];

describe.each(types)("%s", (_name, type, first, clause) => {
  it("is only its packet identifier in MQTT 3", () => {
    for (const version of [3, 4] as const) {
      expect(decode(version, packet(first, u16(300)))).toEqual([
        { type, packetId: 300, reasonCode: 0 },
      ]);
      expect(refusal(() => decode(version, packet(first, u16(300), 0)))).toBe(0x81);
    }
  });

  it("may leave out the properties, or the reason code too", () => {
    const good = type < 6 ? 0x10 : 0x92;
    expect(decode(5, packet(first, u16(1)))).toEqual([{ type, packetId: 1, reasonCode: 0 }]);
    for (const rest of [[good], [good, 0]]) {
      expect(decode(5, packet(first, u16(2), rest))).toEqual([
        { type, packetId: 2, reasonCode: good },
      ]);
    }
  });

  it("may have a reason string and user properties", () => {
    const properties = bytes(userProperty("a", "b"), 0x1f, str("because"), userProperty("a", "c"));
    expect(decode(5, packet(first, u16(2), 0, props(properties)))).toEqual([
      { type, packetId: 2, reasonCode: 0 },
    ]);
  });

  it(`${clause} has one of its own reason codes`, () => {
    const allowed = new Set(type < 6 ? published : [0x00, 0x92]);
    for (let code = 0; code < 256; code++) {
      const refused = refusal(() => decode(5, packet(first, u16(1), code)));
      expect(refused, `code ${code}`).toBe(allowed.has(code) ? undefined : 0x82);
    }
  });

  it("is refused with a packet identifier of 0, or without one", () => {
    expect(refusal(() => decode(5, packet(first, u16(0))))).toBe(0x82);
    expect(refusal(() => decode(5, packet(first, 1)))).toBe(0x81);
    expect(refusal(() => decode(5, packet(first)))).toBe(0x81);
  });

  const reason = bytes(0x1f, str("r"));
  it.each([
    ["a reason string twice", props(reason, reason), 0x82],
    ["a property of another packet", props(0x23, u16(1)), 0x81],
    ["[MQTT-1.5.4-1] an ill-formed reason string", props(0x1f, str([0xff])), 0x81],
    ["[MQTT-1.5.7-1] an ill-formed user property", props(0x26, str("a"), str([0xff])), 0x81],
    ["properties beyond the packet", bytes(5, reason), 0x81],
    ["bytes behind the properties", bytes(0, 0), 0x81],
    ["[MQTT-1.5.5-1] a property length longer than needed", bytes([0x80, 0]), 0x81],
  ])("is refused with %s", (_what, properties, code) => {
    expect(refusal(() => decode(5, packet(first, u16(1), 0, properties)))).toBe(code);
  });
});
