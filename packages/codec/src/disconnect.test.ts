import { describe, expect, it } from "vitest";
import {
  bytes,
  decode,
  packet,
  props,
  refusal,
  str,
  u16,
  u32,
  userProperty,
} from "../test/wire.ts";

const refused = (frame: Buffer) => refusal(() => decode(5, bytes(frame, 0)));

describe("DISCONNECT", () => {
  const normal = {
    type: "disconnect",
    reasonCode: 0,
    sessionExpiry: undefined,
    reasonString: undefined,
    userProperties: [],
  };

  it("may leave out the properties, or the reason code too", () => {
    expect(decode(5, packet(0xe0))).toEqual([normal]);
    expect(decode(5, packet(0xe0, 0x04))).toEqual([{ ...normal, reasonCode: 4 }]);
    expect(decode(5, packet(0xe0, 0x04, 0))).toEqual([{ ...normal, reasonCode: 4 }]);
  });

  it("has its properties", () => {
    const list = props(
      userProperty("b", "1"),
      0x11,
      u32(0),
      0x1f,
      str("bye"),
      userProperty("a", ""),
    );
    expect(decode(5, packet(0xe0, 0, list))).toEqual([
      {
        ...normal,
        sessionExpiry: 0,
        reasonString: "bye",
        userProperties: [
          ["b", "1"],
          ["a", ""],
        ],
      },
    ]);
  });

  it("is empty in MQTT 3", () => {
    for (const version of [3, 4] as const) {
      expect(decode(version, packet(0xe0))).toEqual([normal]);
      expect(refusal(() => decode(version, packet(0xe0, 0)))).toBe(0x81);
    }
  });

  it("[MQTT-3.14.2-1] has one of the reason codes for clients", () => {
    const allowed = new Set([
      0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    ]);
    for (let code = 0; code < 256; code++) {
      expect(refused(packet(0xe0, code)), `code ${code}`).toBe(
        allowed.has(code) ? undefined : 0x82,
      );
    }
  });

  it.each([
    ["a Session Expiry Interval twice", props(0x11, u32(1), 0x11, u32(1)), 0x82],
    ["a Reason String twice", props(0x1f, str(), 0x1f, str()), 0x82],
    ["a Server Reference, which only servers send", props(0x1c, str("x")), 0x81],
    ["a property of another packet", props(0x21, u16(1)), 0x81],
    ["[MQTT-1.5.4-1] an ill-formed Reason String", props(0x1f, str([0xff])), 0x81],
    ["bytes behind the properties", bytes(0, 1), 0x81],
    ["properties beyond the packet", bytes(5, 0x11), 0x81],
  ])("is refused with %s", (_name, list, code) => {
    expect(refused(packet(0xe0, 0, list))).toBe(code);
  });
});

describe("AUTH", () => {
  const method = bytes(0x15, str("SCRAM"));

  it("has a method, data and more", () => {
    const list = props(userProperty("b", "1"), method, 0x16, str([0, 9]), 0x1f, str("why"));
    expect(decode(5, packet(0xf0, 0x18, list))).toEqual([
      {
        type: "auth",
        reasonCode: 0x18,
        authenticationMethod: "SCRAM",
        authenticationData: new Uint8Array([0, 9]),
        reasonString: "why",
        userProperties: [["b", "1"]],
      },
    ]);
    expect(decode(5, packet(0xf0, 0x19, props(method)))).toMatchObject([
      { reasonCode: 0x19, authenticationData: undefined },
    ]);
  });

  it("[MQTT-3.15.2-1] has one of the reason codes for clients", () => {
    for (let code = 0; code < 256; code++) {
      const expected = code === 0x18 || code === 0x19 ? undefined : 0x82;
      expect(refused(packet(0xf0, code, props(method))), `code ${code}`).toBe(expected);
    }
  });

  it.each([
    ["[MQTT-3.15.2-1] nothing, which would mean Success", bytes(), 0x82],
    ["a reason code alone, so no method", bytes(0x18), 0x82],
    ["no method", bytes(0x18, 0), 0x82],
    ["data but no method", bytes(0x18, props(0x16, str("x"))), 0x82],
    ["a method twice", bytes(0x18, props(method, method)), 0x82],
    ["data twice", bytes(0x18, props(method, 0x16, str(), 0x16, str())), 0x82],
    ["a property of another packet", bytes(0x18, props(method, 0x11, u32(1))), 0x81],
    ["[MQTT-1.5.4-1] an ill-formed method", bytes(0x18, props(0x15, str([0xff]))), 0x81],
    ["bytes behind the properties", bytes(0x18, props(method), 0), 0x81],
  ])("is refused with %s", (_name, body, code) => {
    expect(refused(packet(0xf0, body))).toBe(code);
  });
});
