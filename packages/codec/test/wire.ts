// Bytes of packets written by hand, and what the decoder makes of them.
import {
  type ClientPacket,
  Decoder,
  MalformedPacket,
  type PacketSink,
  type PublishView,
  type QoS,
  type Version,
} from "../src/index.ts";

export type Bytes = string | number | readonly number[] | Uint8Array;

/** Strings are their UTF-8 bytes, numbers one byte. */
export function bytes(...parts: Bytes[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "number") return Buffer.from([part]);
      return typeof part === "string" ? Buffer.from(part) : Buffer.from(part);
    }),
  );
}

export function varint(value: number): Buffer {
  const out: number[] = [];
  do {
    out.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value > 0);
  return Buffer.from(out);
}

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function u32(value: number): Buffer {
  return Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
}

/** A string or binary data with its length. */
export function str(...content: Bytes[]): Buffer {
  const data = bytes(...content);
  return Buffer.concat([u16(data.length), data]);
}

/** Properties with their length. */
export function props(...content: Bytes[]): Buffer {
  const data = bytes(...content);
  return Buffer.concat([varint(data.length), data]);
}

/** A packet: its first byte, the remaining length, the body. */
export function packet(first: number, ...body: Bytes[]): Buffer {
  return bytes(first, props(...body));
}

export function userProperty(name: string, value: string): Buffer {
  return bytes(0x26, str(name), str(value));
}

interface ConnectParts {
  name?: Bytes;
  level?: number;
  flags?: number;
  properties?: Bytes;
  payload?: Bytes;
}

/** A CONNECT packet, plain where nothing else is asked for. */
export function connect(parts: ConnectParts = {}): Buffer {
  const { name = "MQTT", level = 5, flags = 2, payload = str("client") } = parts;
  const properties = parts.properties ?? (level === 5 ? [0] : []);
  return packet(0x10, str(name), level, flags, u16(60), properties, payload);
}

export function connectOf(version: Version): Buffer {
  return version === 3 ? connect({ name: "MQIsdp", level: 3 }) : connect({ level: version });
}

/** A PUBLISH packet of v5. */
export function publish(
  properties: Bytes = [],
  { topic = "a/b", qos = 0 as QoS, packetId = 7, payload = "hi" as Bytes } = {},
): Buffer {
  const id = qos === 0 ? [] : u16(packetId);
  return packet(0x30 | (qos << 1), str(topic), id, props(properties), payload);
}

export interface Published {
  type: "publish";
  topic: string;
  qos: QoS;
  dup: boolean;
  retain: boolean;
  packetId: number;
  properties: Buffer;
  propertiesWhole: boolean;
  payload: Buffer;
  topicAlias: number;
  messageExpiry: number;
  utf8Payload: boolean;
}

export interface Acknowledged {
  type: 4 | 5 | 6 | 7;
  packetId: number;
  reasonCode: number;
}

export type Seen = Published | Acknowledged | ClientPacket;

/** Copies what a view shows while it holds. */
export function published(view: PublishView): Published {
  const slice = (start: number, end: number) => Buffer.from(view.buffer.subarray(start, end));
  return {
    type: "publish",
    topic: slice(view.topicStart, view.topicEnd).toString(),
    qos: view.qos,
    dup: view.dup,
    retain: view.retain,
    packetId: view.packetId,
    properties: slice(view.propertiesStart, view.propertiesEnd),
    propertiesWhole: view.propertiesWhole,
    payload: slice(view.payloadStart, view.payloadEnd),
    topicAlias: view.topicAlias,
    messageExpiry: view.messageExpiry,
    utf8Payload: view.utf8Payload,
  };
}

/** A sink that keeps all it is told. */
export class Recorder implements PacketSink {
  readonly seen: Seen[] = [];

  publish(view: PublishView): void {
    this.seen.push(published(view));
  }

  ack(view: Acknowledged): void {
    this.seen.push({ type: view.type, packetId: view.packetId, reasonCode: view.reasonCode });
  }

  packet(packet: ClientPacket): void {
    this.seen.push(packet);
  }
}

/** A decoder that has had a CONNECT of this version. */
export function decoderOf(version: Version, maxPacketSize: number = 1 << 20): Decoder {
  const decoder = new Decoder({ maxPacketSize });
  decoder.decode(connectOf(version), new Recorder());
  return decoder;
}

/** What comes of these bytes behind a CONNECT of this version. */
export function decode(version: Version, ...chunks: Buffer[]): Seen[] {
  const decoder = decoderOf(version);
  const recorder = new Recorder();
  for (const chunk of chunks) decoder.decode(chunk, recorder);
  return recorder.seen;
}

/** What comes of these bytes on a new connection. */
export function decodeFirst(...chunks: Buffer[]): Seen[] {
  const decoder = new Decoder({ maxPacketSize: 1 << 20 });
  const recorder = new Recorder();
  for (const chunk of chunks) decoder.decode(chunk, recorder);
  return recorder.seen;
}

/** The reason code with which these bytes are refused; undefined if they are not. */
export function refusal(run: () => unknown): number | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof MalformedPacket) return error.reasonCode;
    throw error;
  }
  return undefined;
}
