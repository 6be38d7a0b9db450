import { DecodeError } from "@canopy/base";
import { describe, expect, it } from "vitest";
import { addAll, topicOf, valuesOf } from "../test/records.ts";
import { bytes, decoderOf, packet, publish, str, u16, u32, userProperty } from "../test/wire.ts";
import { encodeRecord, type QoS, RecordBatch, RecordView } from "./index.ts";

const view = new RecordView();
const acceptedAt = 1_700_000_000_123;

function recordOf(frame: Buffer, version: 4 | 5, options = {}) {
  const batch = new RecordBatch();
  addAll(batch, decoderOf(version), frame, options);
  expect(batch.count).toBe(1);
  return valuesOf(view.set(batch.bytes, batch.starts[0] ?? -1, batch.ends[0] ?? -1));
}

const plain = {
  qos: 0,
  retain: false,
  utf8: false,
  acceptedAt,
  expiresAt: 0,
  clientId: "me",
  topic: "a/b",
  properties: Buffer.alloc(0),
  payload: Buffer.from("hi"),
};

describe("RecordBatch.add", () => {
  it("takes a message of every version and QoS", () => {
    for (const qos of [0, 1, 2] as const) {
      const id = qos === 0 ? [] : u16(7);
      const v3 = packet(0x31 | (qos << 1), str("a/b"), id, "hi");
      const v5 = packet(0x31 | (qos << 1), str("a/b"), id, 0, "hi");
      expect(recordOf(v3, 4)).toEqual({ ...plain, qos, retain: true });
      expect(recordOf(v5, 5)).toEqual({ ...plain, qos, retain: true });
    }
  });

  it("has an absolute time of expiry, even far away", () => {
    expect(recordOf(publish([0x02, ...u32(60)]), 5).expiresAt).toBe(acceptedAt + 60_000);
    const longest = recordOf(publish([0x02, ...u32(0xffff_ffff)]), 5).expiresAt;
    expect(longest).toBe(acceptedAt + 0xffff_ffff * 1000);
    expect(recordOf(publish([0x02, ...u32(0)]), 5).expiresAt).toBe(acceptedAt);
  });

  it("[MQTT-3.3.2-17] [MQTT-3.3.2-18] keeps all user properties in order", () => {
    const properties = bytes(
      userProperty("z", "1"),
      userProperty("a", "2"),
      userProperty("z", "3"),
      userProperty("1", ""),
    );
    for (const qos of [0, 1] as const) {
      expect(recordOf(publish(properties, { qos }), 5).properties).toEqual(properties);
    }
  });

  it("[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-20] keeps what goes on unaltered, without expiry and alias", () => {
    const expiry = bytes(0x02, u32(9));
    const alias = bytes(0x23, u16(4));
    const kept = [
      bytes(0x01, 1),
      bytes(0x03, str("text")),
      bytes(0x08, str("re/ply")),
      bytes(0x09, str([2, 0x23, 0])),
      userProperty("k", "v"),
    ];
    const properties = Buffer.concat(kept);
    for (const qos of [0, 1] as const) {
      // The two that are dropped at every place among the others.
      for (let i = 0; i <= kept.length; i++) {
        for (let j = i; j <= kept.length; j++) {
          const all = [...kept.slice(0, i), expiry, ...kept.slice(i, j), alias, ...kept.slice(j)];
          const record = recordOf(publish(Buffer.concat(all), { qos }), 5);
          expect(record).toEqual({
            ...plain,
            qos,
            properties,
            utf8: true,
            expiresAt: acceptedAt + 9_000,
          });
        }
      }
      expect(recordOf(publish(bytes(alias, expiry), { qos }), 5).properties).toHaveLength(0);
    }
  });

  it("takes the topic name from the topic where an alias stands for it", () => {
    for (const qos of [0, 1] as const) {
      const frame = publish(bytes(0x23, u16(1), 0x01, 0), { topic: "", qos });
      const record = recordOf(frame, 5, { topic: topicOf("the/näme") });
      expect(record).toEqual({
        ...plain,
        qos,
        topic: "the/näme",
        properties: Buffer.from([1, 0]),
      });
    }
  });

  it("takes large payloads and properties", () => {
    const payload = Buffer.alloc(100_000, 7);
    const properties = userProperty("k", "v".repeat(20_000));
    for (const list of [properties, bytes(0x23, u16(9), properties)]) {
      const record = recordOf(publish(list, { payload, qos: 1 }), 5);
      expect(record.properties.equals(properties)).toBe(true);
      expect(record.payload.equals(payload)).toBe(true);
    }
  });
});

describe("RecordBatch", () => {
  const frame = (i: number) => publish([], { topic: `t/${i}`, payload: Buffer.alloc(i, i) });

  it("keeps its records one behind the other, and their topics", () => {
    const batch = new RecordBatch();
    const decoder = decoderOf(5);
    for (let i = 0; i < 300; i++) addAll(batch, decoder, frame(i));
    expect(batch.count).toBe(300);
    expect(batch.ends.at(-1)).toBe(batch.length);
    expect(batch.starts.slice(1)).toEqual(batch.ends.slice(0, -1));
    for (let i = 0; i < batch.count; i++) {
      view.set(batch.bytes, batch.starts[i] ?? -1, batch.ends[i] ?? -1);
      expect(valuesOf(view)).toMatchObject({ topic: `t/${i}`, payload: Buffer.alloc(i, i) });
      expect(batch.topics[i]?.name).toBe(`t/${i}`);
    }
  });

  it("can be used again after a reset", () => {
    const batch = new RecordBatch();
    const decoder = decoderOf(5);
    for (let round = 0; round < 3; round++) {
      batch.reset();
      expect(batch).toMatchObject({ count: 0, length: 0, starts: [], ends: [], topics: [] });
      for (let i = 0; i < 40; i++) addAll(batch, decoder, frame(i + round));
      expect([batch.count, batch.starts.length, batch.ends.length]).toEqual([40, 40, 40]);
    }
  });

  it("does not keep the memory of a giant message", () => {
    const batch = new RecordBatch();
    const decoder = decoderOf(5, 1 << 26);
    addAll(batch, decoder, publish([], { payload: Buffer.alloc(1 << 22) }));
    expect(batch.bytes.length).toBeGreaterThan(1 << 22);
    batch.reset();
    expect(batch.bytes.length).toBeLessThanOrEqual(1 << 20);
  });

  it("takes over records that are there already", () => {
    const batch = new RecordBatch();
    const decoder = decoderOf(5);
    for (let i = 0; i < 3; i++) addAll(batch, decoder, frame(i));
    const copy = new RecordBatch();
    const [, start = -1] = batch.starts;
    const [, end = -1] = batch.ends;
    expect(copy.addRecord(batch.bytes, start, end, topicOf("t/1"))).toBe(0);
    expect(copy.addRecord(new Uint8Array(batch.bytes), start, end, topicOf("t/1"))).toBe(1);
    for (const i of [0, 1]) {
      view.set(copy.bytes, copy.starts[i] ?? -1, copy.ends[i] ?? -1);
      expect(valuesOf(view)).toEqual({ ...plain, topic: "t/1", payload: Buffer.of(1) });
    }
  });
});

describe("encodeRecord", () => {
  it("makes the same record from its parts", () => {
    for (const qos of [0, 1, 2] as QoS[]) {
      const properties = userProperty("k", "v".repeat(200));
      const record = encodeRecord({
        topic: topicOf("a/b"),
        payload: Buffer.from("hi"),
        qos,
        retain: true,
        properties,
        expiry: 7,
        utf8Payload: true,
        clientId: Buffer.from("me"),
        acceptedAt,
      });
      expect(valuesOf(view.set(record, 0, record.length))).toEqual({
        ...plain,
        qos,
        retain: true,
        utf8: true,
        properties,
        expiresAt: acceptedAt + 7000,
      });
    }
  });

  it("needs neither properties nor an expiry", () => {
    const record = encodeRecord({
      topic: topicOf("$SYS/x"),
      payload: new Uint8Array(0),
      qos: 0,
      retain: false,
      clientId: new Uint8Array(0),
      acceptedAt,
    });
    expect(valuesOf(view.set(record, 0, record.length))).toEqual({
      ...plain,
      clientId: "",
      topic: "$SYS/x",
      payload: Buffer.alloc(0),
    });
  });
});

describe("encodeRecord refuses", () => {
  it("a client identifier that no packet could have", () => {
    const clientId = Buffer.alloc(65_536, "x");
    const message = { topic: topicOf("t"), payload: clientId, qos: 0, retain: false } as const;
    expect(() => encodeRecord({ ...message, clientId, acceptedAt })).toThrow(RangeError);
  });
});

describe("RecordView.set", () => {
  const record = encodeRecord({
    topic: topicOf("a/b"),
    payload: new Uint8Array(0),
    qos: 0,
    retain: false,
    properties: userProperty("k", "v".repeat(200)),
    clientId: Buffer.from("me"),
    acceptedAt,
  });

  it("refuses an unknown version", () => {
    const other = Buffer.from(record);
    other[0] = 2;
    expect(() => view.set(other, 0, other.length)).toThrow(DecodeError);
  });

  it("refuses every cut", () => {
    for (let end = 0; end < record.length; end++) {
      expect(() => view.set(record, 0, end), `${end}`).toThrow(DecodeError);
    }
  });
});
