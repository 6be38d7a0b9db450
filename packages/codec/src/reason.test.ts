import { describe, expect, it } from "vitest";
import { connackReturnCode, MalformedPacket, REASON, reasonName } from "./index.ts";
import { connackReason, disconnectReason } from "./reason.ts";

const ALL = Array.from({ length: 256 }, (_, code) => code);

describe("reason codes", () => {
  it("all have the standard's names", () => {
    for (const [key, code] of Object.entries(REASON)) {
      expect(reasonName(code), `${key}`).not.toMatch(/^Unknown/);
    }
    expect(reasonName(REASON.malformedPacket)).toBe("Malformed Packet");
    expect(reasonName(0x7f)).toBe("Unknown (0x7f)");
  });

  it("become return codes of CONNACK in MQTT 3", () => {
    const codes = [0x00, 0x84, 0x85, 0x88, 0x86, 0x87];
    expect(codes.map(connackReturnCode)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(connackReturnCode(REASON.banned)).toBe(5);
    expect(connackReturnCode(REASON.quotaExceeded)).toBe(3);
  });

  it("[MQTT-3.2.2-8] become one that CONNACK can give, which says as much as can be", () => {
    const given = new Set(ALL.map(connackReason));
    expect([...given].sort((a, b) => a - b)).toEqual([
      0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95,
      0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
    ]);
    for (const code of given) expect(connackReason(code)).toBe(code);
    expect(connackReason(REASON.sessionTakenOver)).toBe(REASON.serverUnavailable);
    expect(connackReason(REASON.keepAliveTimeout)).toBe(REASON.unspecifiedError);
  });

  it("[MQTT-3.14.2-1] become one that a server's DISCONNECT can give", () => {
    const given = new Set(ALL.map(disconnectReason));
    expect([...given].sort((a, b) => a - b)).toEqual([
      0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95,
      0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
    ]);
    for (const code of given) expect(disconnectReason(code)).toBe(code);
    expect(disconnectReason(REASON.badAuthenticationMethod)).toBe(REASON.notAuthorized);
  });

  it("MalformedPacket carries one", () => {
    const error = new MalformedPacket(REASON.packetTooLarge, "too large");
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "MalformedPacket", reasonCode: 0x95 });
  });
});
