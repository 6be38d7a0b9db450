import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseOne } from "../test/oracle.ts";
import { formOf, topicOf } from "../test/records.ts";
import { bytes, decode, packet, str, u16, u32, userProperty, varint } from "../test/wire.ts";
import {
  ACK_SIZE,
  encodeRecord,
  type PublishForm,
  packetIdOffset,
  publishLength,
  type QoS,
  RecordView,
  subscriptionIdBytes,
  writeAck,
  writePublish,
} from "./index.ts";

const view = new RecordView();

function recordOf(parts: { topic?: string; payload?: Uint8Array; properties?: Uint8Array } = {}) {
  const record = encodeRecord({
    topic: topicOf(parts.topic ?? "a/b"),
    payload: parts.payload ?? Buffer.from("hi"),
    qos: 2,
    retain: true,
    properties: parts.properties,
    clientId: Buffer.from("publisher"),
    acceptedAt: 1_700_000_000_000,
  });
  return view.set(record, 0, record.length);
}

/** The packet as written at an odd place, with nothing else touched and the sizes as announced. */
function write(record: RecordView, form: PublishForm, packetId = 77): Buffer {
  const length = publishLength(record, form);
  const out = Buffer.alloc(length + 20, 0xee);
  const end = writePublish(out, 10, record, form, packetId);
  expect(end).toBe(10 + length);
  expect(out.subarray(0, 10)).toEqual(Buffer.alloc(10, 0xee));
  expect(out.subarray(end)).toEqual(Buffer.alloc(10, 0xee));
  const packet = out.subarray(10, end);
  const offset = packetIdOffset(record, form);
  expect(offset < 0).toBe(form.qos === 0);
  expect(offset < 0 ? packetId : packet.readUInt16BE(offset)).toBe(packetId);
  return packet;
}

describe("writePublish", () => {
  it("[MQTT-2.2.1-2] writes a packet identifier above QoS 0 only", () => {
    for (const version of [3, 4, 5] as const) {
      const none = version === 5 ? 0 : [];
      expect(write(recordOf(), formOf({ version }))).toEqual(packet(0x30, str("a/b"), none, "hi"));
      for (const qos of [1, 2] as const) {
        expect(write(recordOf(), formOf({ version, qos }))).toEqual(
          packet(0x30 | (qos << 1), str("a/b"), u16(77), none, "hi"),
        );
      }
    }
  });

  it("[MQTT-3.3.1-3] [MQTT-3.3.1-2] writes DUP as it is told, but never at QoS 0", () => {
    const firstOf = (form: PublishForm) => write(recordOf(), form)[0];
    expect(firstOf(formOf({ qos: 1, dup: true, retain: true }))).toBe(0x3b);
    expect(firstOf(formOf({ qos: 2, dup: true }))).toBe(0x3c);
    expect(firstOf(formOf({ qos: 0, dup: true, retain: true }))).toBe(0x31);
  });

  it("[MQTT-2.2.2-1] writes a property length of 0 if there are no properties", () => {
    expect(write(recordOf(), formOf())).toEqual(packet(0x30, str("a/b"), 0, "hi"));
  });

  it("leaves out all properties in MQTT 3", () => {
    const record = recordOf({ properties: userProperty("k", "v") });
    const form = formOf({
      version: 4,
      qos: 1,
      expiry: 5,
      subscriptionIds: subscriptionIdBytes([1]),
    });
    expect(write(record, form)).toEqual(packet(0x32, str("a/b"), u16(77), "hi"));
  });

  it("[MQTT-3.3.2-17] writes what is to be forwarded as it stands", () => {
    const properties = bytes(userProperty("z", "1"), [1, 1], userProperty("a", "2"));
    for (const qos of [0, 1] as const) {
      const id = qos === 0 ? [] : u16(77);
      expect(write(recordOf({ properties }), formOf({ qos }))).toEqual(
        packet(0x30 | (qos << 1), str("a/b"), id, varint(properties.length), properties, "hi"),
      );
    }
  });

  it("[MQTT-3.3.2-6] [MQTT-3.3.4-4] adds expiry, alias and subscription identifiers", () => {
    const properties = userProperty("k", "v");
    const form = formOf({
      qos: 1,
      expiry: 0xffff_ffff,
      alias: 9,
      subscriptionIds: subscriptionIdBytes([1, 128, 268_435_455]),
    });
    expect(parseOne("publish", write(recordOf({ properties }), form), 5)).toMatchObject({
      topic: "a/b",
      properties: {
        messageExpiryInterval: 0xffff_ffff,
        topicAlias: 9,
        subscriptionIdentifier: [1, 128, 268_435_455],
        userProperties: { k: "v" },
      },
    });
    expect(write(recordOf(), formOf({ expiry: 0 }))).toEqual(
      packet(0x30, str("a/b"), 5, 2, u32(0), "hi"),
    );
  });

  it("leaves out the topic name that the client knows by an alias", () => {
    const form = formOf({ alias: 300, omitTopic: true });
    expect(write(recordOf(), form)).toEqual(packet(0x30, u16(0), 3, 0x23, u16(300), "hi"));
  });

  it("[MQTT-1.5.5-1] writes lengths in as few bytes as can be, at every limit", () => {
    for (const size of [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
      const payload = Buffer.alloc(Math.max(0, size - 3), 1);
      const written = write(recordOf({ topic: "t", payload }), formOf({ version: 4 }));
      expect(written.equals(packet(0x30, str("t"), payload)), `${size}`).toBe(true);
      const properties = userProperty("", "x".repeat(Math.min(65_535, size)));
      const v5 = write(recordOf({ properties }), formOf({ qos: 1 }));
      const wanted = packet(0x32, str("a/b"), u16(77), varint(properties.length), properties, "hi");
      expect(v5.equals(wanted), `${size}`).toBe(true);
    }
  });

  it("is read by mqtt-packet and by our decoder as it was meant", () => {
    const forms = fc.record({
      version: fc.constantFrom(3 as const, 4 as const, 5 as const),
      qos: fc.constantFrom<QoS>(0, 1, 2),
      retain: fc.boolean(),
      dup: fc.boolean(),
      expiry: fc.option(fc.nat(), { nil: -1 }),
      alias: fc.constantFrom(0, 1, 65_535),
      ids: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 }),
    });
    const parts = fc.record({
      topic: fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !text.includes("\0")),
      payload: fc.uint8Array({ maxLength: 300 }),
      users: fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 3 }),
    });
    const property = fc.property(forms, parts, ({ ids, ...rest }, { users, ...content }) => {
      const clean = users.map(([name, value]) =>
        [`${name}.`, value].map((s) => s.replace(/\0/g, "")),
      );
      const properties = Buffer.concat(
        clean.map(([name = "", value = ""]) => userProperty(name, value)),
      );
      const form = formOf({
        ...rest,
        ...(ids.length > 0 && { subscriptionIds: subscriptionIdBytes(ids) }),
      });
      const written = write(recordOf({ ...content, properties }), form, 1234);
      const dup = form.dup && form.qos > 0;
      const { version, qos, retain } = form;
      const theirs = parseOne("publish", written, version);
      expect(theirs).toMatchObject({ topic: content.topic, qos, retain, dup });
      expect(theirs.payload).toEqual(Buffer.from(content.payload));
      expect(theirs.messageId).toBe(qos > 0 ? 1234 : undefined);
      expect(version < 5 && theirs.properties !== undefined).toBe(false);
      // No client may send subscription identifiers.
      if (version === 5 && ids.length > 0) return;
      expect(decode(version, written)).toMatchObject([
        {
          topic: content.topic,
          qos,
          retain,
          dup,
          packetId: qos > 0 ? 1234 : 0,
          payload: Buffer.from(content.payload),
          messageExpiry: version === 5 ? form.expiry : -1,
          topicAlias: version === 5 && form.alias > 0 ? form.alias : -1,
        },
      ]);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe("writeAck", () => {
  const types = [
    [4, "puback"],
    [5, "pubrec"],
    [6, "pubrel"],
    [7, "pubcomp"],
  ] as const;
  it.each(types)(
    "[MQTT-2.2.1-5] writes type %i, a %s, with its packet identifier",
    (type, command) => {
      for (const version of [3, 4, 5] as const) {
        const codes = version === 5 ? [0, 0x92, 0x10].slice(0, type < 6 ? 3 : 2) : [0];
        for (const code of codes.filter((one) => type > 5 || one !== 0x92)) {
          const out = Buffer.alloc(2 + ACK_SIZE, 0xee);
          const end = writeAck(out, 2, type, version, 65_534, code);
          const written = out.subarray(2, end);
          expect(written.length).toBe(code === 0 ? 4 : 5);
          expect(parseOne(command, written, version)).toMatchObject({ messageId: 65_534 });
          expect(decode(version, written)).toEqual([{ type, packetId: 65_534, reasonCode: code }]);
        }
      }
    },
  );

  it("writes no reason code in MQTT 3", () => {
    const out = Buffer.alloc(ACK_SIZE);
    expect(writeAck(out, 0, 4, 4, 1, 0x87)).toBe(4);
    expect(out.subarray(0, 4)).toEqual(packet(0x40, u16(1)));
  });
});

describe("subscriptionIdBytes", () => {
  it("is the properties as on the wire", () => {
    expect(subscriptionIdBytes([])).toHaveLength(0);
    expect(subscriptionIdBytes([1, 300])).toEqual(Buffer.of(0x0b, 1, 0x0b, 0xac, 2));
    expect(() => subscriptionIdBytes([268_435_456])).toThrow(RangeError);
  });
});
