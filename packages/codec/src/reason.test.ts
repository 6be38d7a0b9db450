import { describe, expect, it } from "vitest";
import { connackReturnCode, MalformedPacket, REASON, reasonName } from "./index.ts";

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

  it("MalformedPacket carries one", () => {
    const error = new MalformedPacket(REASON.packetTooLarge, "too large");
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "MalformedPacket", reasonCode: 0x95 });
  });
});
