import { encodeRecord, RecordView, writePublish } from "@canopy/codec";
import { Topic } from "@canopy/topic";
import { expect, test } from "vitest";
import { publishTemplate } from "./packets.ts";
import { Scanner, type ServerPackets } from "./scanner.ts";

/** Everything that a scanner tells, as text. */
class Told implements ServerPackets {
  readonly lines: string[] = [];

  publish(bytes: Buffer, first: number, packetId: number, payload: number, end: number): void {
    this.lines.push(`publish ${first} ${packetId} ${bytes.toString("latin1", payload, end)}`);
  }

  ack(type: number, packetId: number, reasonCode: number): void {
    this.lines.push(`ack ${type} ${packetId} ${reasonCode}`);
  }

  other(type: number, bytes: Buffer, body: number, end: number): void {
    this.lines.push(`other ${type} ${bytes.subarray(body, end).toString("hex")}`);
  }
}

const packets = Buffer.concat([
  Buffer.from([0x20, 3, 0, 0, 0]),
  publishTemplate(5, "a/b", 1, false, Buffer.from("one")).bytes,
  Buffer.from([0x40, 2, 1, 2]),
  Buffer.from([0x40, 3, 1, 3, 0x10]),
  publishTemplate(5, "a/b", 0, true, Buffer.from("x".repeat(300))).bytes,
  Buffer.from([0xd0, 0]),
]);

const expected = [
  "other 2 000000",
  "publish 50 0 one",
  "ack 4 258 0",
  "ack 4 259 16",
  `publish 49 0 ${"x".repeat(300)}`,
  "other 13 ",
];

test.each([1, 2, 3, 7, 100, packets.length])("packets in chunks of %d bytes", (size) => {
  const [scanner, told] = [new Scanner(true), new Told()];
  for (let at = 0; at < packets.length; at += size) {
    const chunk = Buffer.from(packets.subarray(at, at + size));
    scanner.scan(chunk, chunk.length, told);
  }
  expect(told.lines).toEqual(expected);
});

test("a PUBLISH with properties, as the codec writes it", () => {
  const view = new RecordView();
  const topic = Buffer.from("some/topic");
  const record = encodeRecord({
    topic: new Topic(topic, 0, topic.length, 16),
    payload: Buffer.from("payload"),
    qos: 1,
    retain: false,
    properties: Buffer.from([0x03, 0, 1, 0x78]),
    clientId: Buffer.from("publisher"),
    acceptedAt: 0,
  });
  view.set(record, 0, record.length);
  const out = Buffer.alloc(256);
  const end = writePublish(
    out,
    0,
    view,
    {
      version: 5,
      qos: 1,
      retain: false,
      dup: false,
      expiry: 60,
      subscriptionIds: undefined,
      alias: 3,
      omitTopic: false,
    },
    77,
  );
  const [scanner, told] = [new Scanner(true), new Told()];
  scanner.scan(out, end, told);
  expect(told.lines).toEqual(["publish 50 77 payload"]);
});
