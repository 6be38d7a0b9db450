import { describe, expect, it } from "vitest";
import {
  bytes,
  decode,
  packet,
  props,
  publish,
  refusal,
  str,
  u16,
  u32,
  userProperty,
  varint,
} from "../test/wire.ts";

/** The next packet's first byte follows, so that a read beyond the end would find something. */
const refused = (frame: Buffer) => refusal(() => decode(5, bytes(frame, 0)));

describe("PUBLISH", () => {
  it("is read in place with all its properties", () => {
    const properties = bytes(
      [0x01, 1],
      [0x02, ...u32(3_000_000_000)],
      [0x03, ...str("text/plain")],
      [0x08, ...str("reply/to")],
      [0x09, ...str([0, 255])],
      [0x23, ...u16(5)],
      userProperty("k", "v"),
      userProperty("k", "w"),
    );
    expect(decode(5, publish(properties, { qos: 2, packetId: 65_535 }))).toEqual([
      {
        type: "publish",
        topic: "a/b",
        qos: 2,
        dup: false,
        retain: false,
        packetId: 65_535,
        properties,
        propertiesWhole: false,
        payload: Buffer.from("hi"),
        topicAlias: 5,
        messageExpiry: 3_000_000_000,
        utf8Payload: true,
      },
    ]);
  });

  it("shows nothing of the packet before", () => {
    const rich = publish([0x01, 1, 0x23, 0, 5, 0x02, 0, 0, 0, 9], { qos: 1 });
    const [, plain] = decode(5, rich, publish());
    expect(plain).toMatchObject({
      packetId: 0,
      properties: Buffer.alloc(0),
      propertiesWhole: true,
      topicAlias: -1,
      messageExpiry: -1,
      utf8Payload: false,
    });
  });

  it("has no properties in MQTT 3", () => {
    for (const version of [3, 4] as const) {
      const [seen] = decode(version, packet(0x33, str("a"), u16(1), 0, "x"));
      expect(seen).toMatchObject({ topic: "a", retain: true, qos: 1, payload: Buffer.from("\0x") });
    }
  });

  it("may have an empty payload", () => {
    expect(decode(5, publish([], { payload: "" }))).toMatchObject([{ payload: Buffer.alloc(0) }]);
  });

  it("says whether all properties go on as they stand", () => {
    const whole = (properties: number[]) => decode(5, publish(properties))[0];
    expect(whole([])).toMatchObject({ propertiesWhole: true });
    expect(whole([1, 1])).toMatchObject({ propertiesWhole: true });
    expect(whole([1, 1, 0x23, 0, 1])).toMatchObject({ propertiesWhole: false });
    expect(whole([0x02, 0, 0, 0, 0])).toMatchObject({ propertiesWhole: false, messageExpiry: 0 });
  });

  it("[MQTT-2.2.1-2] has no packet identifier at QoS 0", () => {
    expect(decode(4, packet(0x30, str("a"), "xyz"))).toMatchObject([
      { packetId: 0, payload: Buffer.from("xyz") },
    ]);
  });

  it("shows alias 0 for the caller to refuse", () => {
    expect(decode(5, publish([0x23, 0, 0]))).toMatchObject([{ topicAlias: 0 }]);
  });

  it("may leave the topic name to an alias", () => {
    expect(decode(5, publish([0x23, 0, 3], { topic: "" }))).toMatchObject([
      { topic: "", topicAlias: 3 },
    ]);
  });
});

const ill = [0xc3, 0x28];
const table: readonly (readonly [name: string, frame: Buffer, code: number])[] = [
  ["[MQTT-3.3.1-4] QoS must not be 3", packet(0x36, str("a"), u16(1), 0), 0x81],
  ["[MQTT-3.3.1-2] DUP must be 0 at QoS 0", packet(0x38, str("a"), 0), 0x82],
  [
    "[MQTT-2.2.1-3] the packet identifier must not be 0",
    publish([], { qos: 1, packetId: 0 }),
    0x82,
  ],
  ["[MQTT-3.3.2-1] the topic name must be present", packet(0x30, 0), 0x81],
  ["[MQTT-3.3.2-1] the topic name must be whole", packet(0x30, u16(3), "ab"), 0x81],
  ["the packet identifier must be whole", packet(0x32, str("a"), 0), 0x81],
  ["[MQTT-2.2.2-1] the property length must be present", packet(0x30, str("a")), 0x81],
  ["[MQTT-2.2.2-1] the property length must be present", packet(0x32, str("a"), u16(1)), 0x81],
  ["[MQTT-4.7.3-1] an empty topic name needs an alias", publish([], { topic: "" }), 0x82],
  ["the properties must end within the packet", packet(0x30, str("a"), 3, 1, 1), 0x81],
  ["the property length must be whole", packet(0x30, str("a"), 0x80), 0x81],
  [
    "[MQTT-1.5.5-1] the property length must be as short as can be",
    packet(0x30, str("a"), [0x82, 0x00], 1, 1),
    0x81,
  ],
  [
    "the property length has at most four bytes",
    packet(0x30, str("a"), [255, 255, 255, 255]),
    0x81,
  ],
  ["a Payload Format Indicator is 0 or 1", publish([0x01, 2]), 0x82],
  ["a Payload Format Indicator must be whole", publish([0x01]), 0x81],
  ["a Message Expiry Interval must be whole", publish([0x02, 0, 0, 0]), 0x81],
  ["a Topic Alias must be whole", publish([0x23, 0]), 0x81],
  ["a Content Type must be whole", publish([0x03, 0, 2, 0x61]), 0x81],
  ["Correlation Data must be whole", publish([0x09, 0, 2, 0x61]), 0x81],
  ["a User Property must be whole", publish([0x26, 0, 0]), 0x81],
  ["a length must be whole", publish([0x26, 0]), 0x81],
  ["[MQTT-3.3.2-13] a Response Topic must be UTF-8", publish(bytes(0x08, str(ill))), 0x81],
  ["[MQTT-3.3.2-14] a Response Topic has no wildcard +", publish(bytes(0x08, str("a/+"))), 0x82],
  ["[MQTT-3.3.2-14] a Response Topic has no wildcard #", publish(bytes(0x08, str("#"))), 0x82],
  ["[MQTT-4.7.3-1] a Response Topic is not empty", publish(bytes(0x08, str())), 0x82],
  ["[MQTT-3.3.2-19] a Content Type must be UTF-8", publish(bytes(0x03, str(ill))), 0x81],
  ["[MQTT-1.5.7-1] a name must be UTF-8", publish(bytes(0x26, str(ill), str("v"))), 0x81],
  ["[MQTT-1.5.7-1] a value must be UTF-8", publish(bytes(0x26, str("n"), str(ill))), 0x81],
  ["[MQTT-1.5.4-1] no surrogates", publish(bytes(0x03, str([0xed, 0xa0, 0x80]))), 0x81],
  ["[MQTT-1.5.4-1] no overlong forms", publish(bytes(0x03, str([0xc0, 0x80]))), 0x81],
  ["[MQTT-1.5.4-2] no U+0000", publish(bytes(0x03, str("a\0b"))), 0x81],
  ["[MQTT-1.5.4-2] no U+0000 behind others", publish(bytes(0x03, str("ä\0b"))), 0x81],
  [
    "[MQTT-3.3.4-6] no Subscription Identifier from a client",
    publish(bytes(0x0b, varint(1))),
    0x82,
  ],
  ["a property of another packet is malformed", publish([0x11, 0, 0, 0, 1]), 0x81],
  ["an unknown property is malformed", publish([0x7f, 0]), 0x81],
  ["property identifier 0 is malformed", publish([0]), 0x81],
];

describe("PUBLISH: what is refused", () => {
  it.each(table)("%s", (_name, frame, code) => {
    expect(refused(frame)).toBe(code);
  });

  const once: readonly (readonly [name: string, property: Buffer])[] = [
    ["Payload Format Indicator", bytes(0x01, 0)],
    ["Message Expiry Interval", bytes(0x02, u32(1))],
    ["Content Type", bytes(0x03, str("x"))],
    ["Response Topic", bytes(0x08, str("x"))],
    ["Correlation Data", bytes(0x09, str("x"))],
    ["Topic Alias", bytes(0x23, u16(1))],
  ];
  it.each(once)("%s twice", (_name, property) => {
    expect(refused(publish(property))).toBeUndefined();
    expect(refused(publish(bytes(property, userProperty("a", "b"), property)))).toBe(0x82);
  });

  it("every cut of a valid body", () => {
    const body = bytes(str("a"), u16(1), props([1, 1], userProperty("n", "v")), "payload");
    const least = body.length - "payload".length;
    for (let size = 0; size < least; size++) {
      expect(refused(packet(0x32, body.subarray(0, size))), `size ${size}`).toBe(0x81);
    }
  });
});
