import { describe, expect, it } from "vitest";
import {
  type Bytes,
  bytes,
  decode,
  packet,
  props,
  refusal,
  str,
  u16,
  userProperty,
  varint,
} from "../test/wire.ts";

const ill = [0xff];
const refused = (frame: Buffer, version: 4 | 5 = 5) =>
  refusal(() => decode(version, bytes(frame, 0)));
const subscribe = (...payload: Bytes[]) => packet(0x82, u16(10), 0, ...payload);
const withProperties = (...list: Bytes[]) => packet(0x82, u16(10), props(...list), str("a"), 0);

describe("SUBSCRIBE", () => {
  it("has its filters with their options, in order", () => {
    const frame = subscribe(str("a/+"), 0x00, str("$share/g/#"), 0x29, str("ä"), 0x16);
    expect(decode(5, frame)).toEqual([
      {
        type: "subscribe",
        packetId: 10,
        subscriptions: [
          { filter: "a/+", qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
          {
            filter: "$share/g/#",
            qos: 1,
            noLocal: false,
            retainAsPublished: true,
            retainHandling: 2,
          },
          { filter: "ä", qos: 2, noLocal: true, retainAsPublished: false, retainHandling: 1 },
        ],
        subscriptionIdentifier: undefined,
        userProperties: [],
      },
    ]);
  });

  it("has only a QoS as option in MQTT 3, from bridges too", () => {
    const subscriptions = [
      { filter: "a", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ];
    for (const version of [3, 4] as const) {
      expect(decode(version, packet(0x82, u16(1), str("a"), 2))).toMatchObject([{ subscriptions }]);
    }
  });

  it("has a subscription identifier and user properties", () => {
    for (const id of [1, 127, 128, 268_435_455]) {
      const frame = withProperties(userProperty("b", "1"), 0x0b, varint(id), userProperty("a", ""));
      expect(decode(5, frame)).toMatchObject([
        {
          subscriptionIdentifier: id,
          userProperties: [
            ["b", "1"],
            ["a", ""],
          ],
        },
      ]);
    }
  });

  it("leaves the rules of topic filters to the caller", () => {
    expect(decode(5, subscribe(str("a#/"), 0, str(), 0))).toMatchObject([
      { subscriptions: [{ filter: "a#/" }, { filter: "" }] },
    ]);
  });

  const table: readonly (readonly [name: string, frame: Buffer, code: number])[] = [
    [
      "[MQTT-2.2.1-3] the packet identifier must not be 0",
      packet(0x82, u16(0), 0, str("a"), 0),
      0x82,
    ],
    ["the packet identifier must be whole", packet(0x82, 1), 0x81],
    ["[MQTT-2.2.2-1] the property length must be present", packet(0x82, u16(1)), 0x81],
    ["[MQTT-3.8.3-2] there must be a topic filter", subscribe(), 0x82],
    ["[MQTT-3.8.3-2] a filter must have its options", subscribe(str("a")), 0x81],
    ["[MQTT-3.8.3-2] every filter must have its options", subscribe(str("a"), 0, str("b")), 0x81],
    ["[MQTT-3.8.3-1] a filter must be UTF-8", subscribe(str(ill), 0), 0x81],
    ["[MQTT-3.8.3-1] every filter must be UTF-8", subscribe(str("a"), 0, str(ill), 0), 0x81],
    ["[MQTT-1.5.4-2] a filter has no U+0000", subscribe(str("a\0"), 0), 0x81],
    ["a filter must be whole", subscribe(u16(2), "a"), 0x81],
    ["[MQTT-3.8.3-5] reserved bit 6 must be 0", subscribe(str("a"), 0x40), 0x81],
    ["[MQTT-3.8.3-5] reserved bit 7 must be 0", subscribe(str("a"), 0x80), 0x81],
    ["QoS must not be 3", subscribe(str("a"), 0x03), 0x82],
    ["Retain Handling must not be 3", subscribe(str("a"), 0x30), 0x82],
    ["[MQTT-3.8.3-4] no No Local if shared", subscribe(str("$share/g/a"), 0x04), 0x82],
    ["a Subscription Identifier must not be 0", withProperties(0x0b, 0), 0x82],
    ["a Subscription Identifier twice", withProperties(0x0b, 1, 0x0b, 2), 0x82],
    ["[MQTT-1.5.5-1] an identifier longer than needed", withProperties(0x0b, 0x81, 0), 0x81],
    ["an identifier of five bytes", withProperties(0x0b, [255, 255, 255, 255, 1]), 0x81],
    ["an identifier that is cut off", withProperties(0x0b, 0x80), 0x81],
    ["a property of another packet", withProperties(0x1f, str("x")), 0x81],
    ["[MQTT-1.5.7-1] an ill-formed user property", withProperties(0x26, str("x"), str(ill)), 0x81],
  ];
  it.each(table)("is refused: %s", (_name, frame, code) => {
    expect(refused(frame)).toBe(code);
  });

  it("[v3:MQTT-3-8.3-4] is refused with any option but a QoS in MQTT 3", () => {
    for (let options = 3; options < 256; options++) {
      expect(refused(packet(0x82, u16(1), str("a"), options), 4), `${options}`).toBeDefined();
    }
  });
});

describe("UNSUBSCRIBE", () => {
  it("has its filters in order", () => {
    const frame = packet(0xa2, u16(9), props(userProperty("k", "v")), str("b"), str("a/#"));
    expect(decode(5, frame)).toEqual([
      {
        type: "unsubscribe",
        packetId: 9,
        filters: ["b", "a/#"],
        userProperties: [["k", "v"]],
      },
    ]);
    expect(decode(4, packet(0xa2, u16(9), str("b")))).toMatchObject([{ filters: ["b"] }]);
  });

  const table: readonly (readonly [name: string, frame: Buffer, code: number])[] = [
    ["[MQTT-2.2.1-3] the packet identifier must not be 0", packet(0xa2, u16(0), 0, str("a")), 0x82],
    ["the packet identifier must be whole", packet(0xa2, 1), 0x81],
    ["[MQTT-2.2.2-1] the property length must be present", packet(0xa2, u16(1)), 0x81],
    ["[MQTT-3.10.3-2] there must be a topic filter", packet(0xa2, u16(1), 0), 0x82],
    ["[MQTT-3.10.3-1] a filter must be UTF-8", packet(0xa2, u16(1), 0, str(ill)), 0x81],
    ["[MQTT-1.5.4-2] a filter has no U+0000", packet(0xa2, u16(1), 0, str("\0")), 0x81],
    ["a filter must be whole", packet(0xa2, u16(1), 0, u16(2), "a"), 0x81],
    ["a property of another packet", packet(0xa2, u16(1), props(0x0b, 1), str("a")), 0x81],
  ];
  it.each(table)("is refused: %s", (_name, frame, code) => {
    expect(refused(frame)).toBe(code);
  });

  it("is refused without a topic filter in MQTT 3", () => {
    expect(refused(packet(0xa2, u16(1)), 4)).toBe(0x82);
  });
});
