import { DecodeError } from "@canopy/base";
import type { Topic } from "@canopy/topic";
import { MAX_U16, putVarint, u8, u16, u48, varintSize } from "./bytes.ts";
import { copyBytes } from "./copy.ts";
import type { QoS } from "./packets.ts";

/*
 * The record of a message: made once at the door, then only copied. Big-endian:
 *
 *   u8        version = 1
 *   u8        flags: bits 0–1 QoS of the publisher, bit 2 RETAIN, bit 3 payload is UTF-8
 *   u48       accepted at, ms since 1970
 *   u48       expires at, ms since 1970; 0 = never
 *   u16 + …   client identifier of the publisher, UTF-8
 *   u16 + …   topic name, as on the wire
 *   varint + … properties to forward, as on the wire: without Message Expiry Interval, Topic Alias
 *             and Subscription Identifier
 *   …         payload, to the end
 */

const RECORD_VERSION = 1;
/** Version, flags and both times. */
const HEADER = 14;
const QOS_BITS = 3;
const RETAIN_BIT = 4;
const UTF8_BIT = 8;

/** Writes what comes before the topic name to `out`, which `view` shows; returns its end. */
export function putRecordHeader(
  out: Buffer,
  view: DataView,
  at: number,
  qos: QoS,
  retain: boolean,
  utf8Payload: boolean,
  acceptedAt: number,
  expirySeconds: number,
  clientId: Uint8Array,
): number {
  const flags = qos | (retain ? RETAIN_BIT : 0) | (utf8Payload ? UTF8_BIT : 0);
  const expiresAt = expirySeconds < 0 ? 0 : acceptedAt + expirySeconds * 1000;
  const accepted = Math.floor(acceptedAt / 0x1_00_00_00_00);
  const expires = Math.floor(expiresAt / 0x1_00_00_00_00);
  // every message pays for this: four stores, where bytes would be sixteen
  view.setUint32(at, (RECORD_VERSION << 24) | (flags << 16) | accepted);
  view.setUint32(at + 4, acceptedAt);
  view.setUint32(at + 8, (expires << 16) | ((expiresAt >>> 16) & 0xffff));
  view.setUint32(at + 12, ((expiresAt & 0xffff) << 16) | clientId.length);
  return copyBytes(clientId, 0, clientId.length, out, at + HEADER + 2);
}

/** At least the size of a record with such parts. */
export function recordSizeLimit(
  clientId: number,
  topic: number,
  properties: number,
  payload: number,
): number {
  return HEADER + 2 + clientId + topic + 4 + properties + payload;
}

/** A message that comes from no PUBLISH packet: a will, `$SYS`, the administration. */
export interface Message {
  readonly topic: Topic;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Properties to forward, as wire bytes without their length. */
  readonly properties?: Uint8Array | undefined;
  /** Message Expiry Interval in seconds. */
  readonly expiry?: number | undefined;
  readonly utf8Payload?: boolean | undefined;
  /** Client identifier of the publisher, UTF-8. */
  readonly clientId: Uint8Array;
  readonly acceptedAt: number;
}

const NO_PROPERTIES = new Uint8Array(0);

export function encodeRecord(message: Message): Buffer {
  const { topic, payload, clientId, properties = NO_PROPERTIES } = message;
  if (clientId.length > MAX_U16) throw new RangeError("the client identifier is too long");
  const size = HEADER + 2 + clientId.length + topic.wire.length;
  const out = Buffer.allocUnsafeSlow(
    size + varintSize(properties.length) + properties.length + payload.length,
  );
  let at = putRecordHeader(
    out,
    new DataView(out.buffer, out.byteOffset, out.length),
    0,
    message.qos,
    message.retain,
    message.utf8Payload ?? false,
    message.acceptedAt,
    message.expiry ?? -1,
    clientId,
  );
  at = copyBytes(topic.wire, 0, topic.wire.length, out, at);
  at = putVarint(out, at, properties.length);
  at = copyBytes(properties, 0, properties.length, out, at);
  copyBytes(payload, 0, payload.length, out, at);
  return out;
}

/** Reads a record in place; one object may be set to one record after the other. */
export class RecordView {
  bytes: Uint8Array = NO_PROPERTIES;
  qos: QoS = 0;
  retain = false;
  /** The payload is said to be UTF-8. */
  utf8 = false;
  /** Where the record starts in `bytes`; it ends at `payloadEnd`. */
  start = 0;
  clientIdStart = 0;
  clientIdEnd = 0;
  /** Of the topic name's two-byte length. */
  topicStart = 0;
  /** Of the topic name, and so the start of the properties' length. */
  topicEnd = 0;
  /** Without their length. */
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;

  /** Takes the record in `bytes[start … end)`; returns itself. */
  set(bytes: Uint8Array, start: number, end: number): this {
    const clientIdStart = start + HEADER + 2;
    if (clientIdStart + 3 > end) throw new DecodeError("a record is cut off");
    const version = u8(bytes, start);
    if (version !== RECORD_VERSION) throw new DecodeError(`a record of version ${version}`);
    const clientIdEnd = clientIdStart + u16(bytes, start + HEADER);
    if (clientIdEnd + 3 > end) throw new DecodeError("a record is cut off");
    const topicEnd = clientIdEnd + 2 + u16(bytes, clientIdEnd);
    if (topicEnd >= end) throw new DecodeError("a record is cut off");
    const flags = u8(bytes, start + 1);
    if (this.bytes !== bytes) this.bytes = bytes; // storing an object costs, also the same one
    this.qos = (flags & QOS_BITS) as QoS;
    this.retain = (flags & RETAIN_BIT) !== 0;
    this.utf8 = (flags & UTF8_BIT) !== 0;
    this.start = start;
    this.clientIdStart = clientIdStart;
    this.clientIdEnd = clientIdEnd;
    this.topicStart = clientIdEnd;
    this.topicEnd = topicEnd;
    this.payloadEnd = end;
    this.#setProperties(bytes, topicEnd, end);
    return this;
  }

  /** When the gateway took the message, ms since 1970. */
  get acceptedAt(): number {
    return u48(this.bytes, this.start + 2);
  }

  /** When the message expires, ms since 1970; 0 = never. */
  get expiresAt(): number {
    const { bytes } = this;
    const at = this.start + 8;
    const upper = (u8(bytes, at) << 24) | (u8(bytes, at + 1) << 16) | u16(bytes, at + 2);
    const lower = u16(bytes, at + 4);
    // most messages never expire: no arithmetic of fractions for them
    return (upper | lower) === 0 ? 0 : (upper >>> 0) * 0x1_00_00 + lower;
  }

  #setProperties(bytes: Uint8Array, at: number, end: number): void {
    let length = u8(bytes, at++);
    if (length > 127) {
      length &= 127;
      for (let shift = 7, byte = 128; byte > 127; shift += 7) {
        if (at >= end || shift > 21) throw new DecodeError("a record is cut off");
        byte = u8(bytes, at++);
        length |= (byte & 127) << shift;
      }
    }
    if (at + length > end) throw new DecodeError("a record is cut off");
    this.propertiesStart = at;
    this.propertiesEnd = at + length;
    this.payloadStart = at + length;
  }
}
