import { encodeRecord } from "@canopy/codec";
import { OutboundAliases } from "@canopy/connection";
import { FakeTime } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import fc from "fast-check";
import { type IPublishPacket, parser } from "mqtt-packet";
import { expect, test } from "vitest";
import type { Client } from "../client.ts";
import { Counters } from "../counters.ts";
import { ChunkPool, Output } from "../output.ts";
import { PublishWriter } from "./writer.ts";

interface Variant {
  readonly version: 4 | 5;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly ids: Buffer | undefined;
  readonly aliasing: boolean;
}

/** What the writer needs of a client, over a transport that keeps what it is given. */
function subscriber({ version, aliasing }: Variant): {
  client: Client;
  packets: () => IPublishPacket[];
} {
  const written: Buffer[] = [];
  const transport = {
    remoteAddress: "",
    listener: "",
    backlog: 0,
    write: (bytes: Buffer) => void written.push(Buffer.from(bytes)),
    pause: () => {},
    resume: () => {},
    end: () => {},
    destroy: () => {},
  };
  const output = new Output(transport, new ChunkPool(), new Counters());
  const client = {
    version,
    aliasing,
    output,
    maximumPacketSize: Number.POSITIVE_INFINITY,
    connection: { aliases: new OutboundAliases(aliasing ? 2 : 0) },
    published: () => {},
  } as unknown as Client;
  return {
    client,
    packets: (): IPublishPacket[] => {
      output.flush();
      const found: IPublishPacket[] = [];
      const reader = parser({ protocolVersion: version });
      reader.on("packet", (packet) => found.push(packet as IPublishPacket));
      reader.parse(Buffer.concat(written));
      return found;
    },
  };
}

const variants: fc.Arbitrary<Variant> = fc.record({
  version: fc.constantFrom(4, 5),
  qos: fc.constantFrom(0, 1, 2),
  retain: fc.boolean(),
  ids: fc.constantFrom(undefined, Buffer.from([0x0b, 7])),
  aliasing: fc.boolean(),
});

const messages = fc.record({
  topic: fc.constantFrom("a", "a/b", "t".repeat(300)),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.integer({ min: 16_300, max: 16_500 }).map((size) => new Uint8Array(size).fill(7)),
    fc.constant(new Uint8Array(70_000).fill(9)),
  ),
  expiry: fc.constantFrom(undefined, 1, 3600),
  properties: fc.constantFrom(undefined, Buffer.from([0x03, 0, 1, 0x78])),
});

test("[MQTT-3.3.2-6] [MQTT-3.3.4-3] what many get at once is what each would get alone", () => {
  const time = new FakeTime();
  const topics = new TopicTable(1);
  fc.assert(
    fc.property(
      fc.array(messages, { minLength: 1, maxLength: 4 }),
      fc.array(variants, { minLength: 1, maxLength: 8 }),
      (sent, kinds) => {
        const writer = new PublishWriter(time);
        const together = kinds.map(subscriber);
        const alone = kinds.map((kind) => subscriber({ ...kind, aliasing: false }));
        for (const { topic: name, payload, expiry, properties } of sent) {
          const topic = topics.internString(name);
          if (topic === undefined) throw new Error(name);
          const record = encodeRecord({
            topic,
            payload,
            qos: 2,
            retain: true,
            expiry,
            properties,
            clientId: Buffer.from("publisher"),
            acceptedAt: time.wall(),
          });
          const write = (to: typeof together, isMany: boolean, at: number): void => {
            if (isMany) writer.begin(record, 0, record.length, true);
            for (const [i, kind] of kinds.entries()) {
              if (!isMany) writer.begin(record, 0, record.length, false);
              const client = to[i]?.client as Client;
              writer.write(client, topic, kind.qos, kind.retain, false, kind.ids, at + i);
            }
          };
          write(together, true, 100);
          write(alone, false, 100);
        }
        for (const [i, kind] of kinds.entries()) {
          const known = new Map<number, string>();
          const got = together[i]?.packets() ?? [];
          const wanted = alone[i]?.packets() ?? [];
          expect(got.length).toBe(sent.length);
          for (const [k, packet] of got.entries()) {
            const other = wanted[k] as IPublishPacket;
            const { topicAlias, ...properties } = packet.properties ?? {};
            if (topicAlias !== undefined && packet.topic !== "")
              known.set(topicAlias, packet.topic);
            const topic = packet.topic === "" ? known.get(topicAlias ?? 0) : packet.topic;
            expect(topic).toBe(other.topic);
            expect({ ...properties }).toEqual({ ...other.properties });
            expect(packet.qos).toBe(kind.qos);
            expect(packet.retain).toBe(kind.retain);
            expect(packet.messageId).toBe(other.messageId);
            expect(Buffer.compare(packet.payload as Buffer, other.payload as Buffer)).toBe(0);
            expect(Buffer.compare(packet.payload as Buffer, sent[k]?.payload as Uint8Array)).toBe(
              0,
            );
          }
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("[MQTT-3.3.2-5] an expired message is not begun; one that is sent again says that no time is left", () => {
  const time = new FakeTime();
  const topic = new TopicTable(1).internString("t");
  if (topic === undefined) throw new Error("t");
  const writer = new PublishWriter(time);
  const record = encodeRecord({
    topic,
    payload: Buffer.from("x"),
    qos: 1,
    retain: false,
    expiry: 2,
    clientId: Buffer.from("p"),
    acceptedAt: time.wall(),
  });
  const kind: Variant = { version: 5, qos: 1, retain: false, ids: undefined, aliasing: false };
  const { client, packets } = subscriber(kind);
  expect(writer.begin(record, 0, record.length, false)).toBe(true);
  writer.write(client, topic, 1, false, false, undefined, 1);
  time.advance(500);
  writer.begin(record, 0, record.length, false);
  writer.write(client, topic, 1, false, false, undefined, 2);
  time.advance(5000);
  expect(writer.begin(record, 0, record.length, false)).toBe(false);
  writer.write(client, topic, 1, false, true, undefined, 3);
  expect(packets().map(({ properties }) => properties?.messageExpiryInterval)).toEqual([2, 2, 0]);
});
