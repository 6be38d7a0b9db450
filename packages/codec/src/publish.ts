import { EMPTY, skipBinary, skipString, u8, u16, u32, varint, varintSize } from "./bytes.ts";
import type { QoS } from "./packets.ts";
import { malformed, protocolError } from "./reason.ts";
import type { PublishView } from "./views.ts";

// Which properties of the PUBLISH were seen; all but User Property may come once.
const SEEN_FORMAT = 1;
const SEEN_EXPIRY = 2;
const SEEN_CONTENT_TYPE = 4;
const SEEN_RESPONSE_TOPIC = 8;
const SEEN_CORRELATION = 16;
const SEEN_ALIAS = 32;

/** Reads PUBLISH packets in place (section 3.3), one after the other, without allocating. */
export class PublishScan implements PublishView {
  buffer: Buffer = EMPTY;
  qos: QoS = 0;
  dup = false;
  retain = false;
  packetId = 0;
  topicStart = 0;
  topicEnd = 0;
  propertiesStart = 0;
  propertiesEnd = 0;
  propertiesWhole = true;
  payloadStart = 0;
  payloadEnd = 0;
  topicAlias = -1;
  messageExpiry = -1;
  utf8Payload = false;

  /**
   * Takes the packet whose first byte's low bits are `flags` and that goes on from `at` (behind the
   * remaining length) to `end`.
   */
  read(buffer: Buffer, flags: number, at: number, end: number, v5: boolean): void {
    const qos = (flags >> 1) & 3;
    if (qos === 3) throw malformed("PUBLISH: QoS 3 [MQTT-3.3.1-4]");
    if (qos === 0 && flags > 7) throw protocolError("PUBLISH: DUP at QoS 0 [MQTT-3.3.1-2]");
    if (end - at < 2) throw malformed("PUBLISH: no topic name");
    const topicEnd = at + 2 + u16(buffer, at);
    let next = qos === 0 ? topicEnd : topicEnd + 2;
    if (next > end) throw malformed("PUBLISH: cut off");
    this.packetId = 0;
    if (qos !== 0) {
      this.packetId = u16(buffer, topicEnd);
      if (this.packetId === 0) throw protocolError("PUBLISH: packet identifier 0 [MQTT-2.2.1-3]");
    }
    if (this.buffer !== buffer) this.buffer = buffer; // storing an object costs, also the same one
    this.qos = qos as QoS;
    this.dup = flags > 7;
    this.retain = (flags & 1) === 1;
    this.topicStart = at + 2;
    this.topicEnd = topicEnd;
    this.topicAlias = -1;
    this.messageExpiry = -1;
    this.utf8Payload = false;
    this.propertiesWhole = true;
    if (v5) {
      if (next === end) throw malformed("PUBLISH: no property length");
      if (u8(buffer, next) !== 0) next = this.#readProperties(buffer, next, end);
      else this.propertiesStart = this.propertiesEnd = ++next;
    } else {
      this.propertiesStart = this.propertiesEnd = next;
    }
    if (topicEnd === at + 2 && this.topicAlias < 0) {
      throw protocolError("PUBLISH: neither a topic name nor an alias [MQTT-4.7.3-1]");
    }
    this.payloadStart = next;
    this.payloadEnd = end;
  }

  /** Checks and notes the properties (3.3.2.3); returns their end. */
  #readProperties(buffer: Buffer, at: number, end: number): number {
    const length = varint(buffer, at, end);
    at += varintSize(length);
    const stop = at + length;
    if (stop > end) throw malformed("PUBLISH: the properties go beyond the packet");
    this.propertiesStart = at;
    this.propertiesEnd = stop;
    let seen = 0;
    while (at < stop) {
      const id = u8(buffer, at++);
      if (id === 0x26) {
        at = skipString(buffer, skipString(buffer, at, stop), stop);
        continue;
      }
      const bit = bitOf(id);
      if ((seen & bit) !== 0) throw protocolError("PUBLISH: a property comes twice");
      seen |= bit;
      at = this.#readOnce(buffer, id, at, stop);
      if (at > stop) throw malformed("PUBLISH: a property is cut off");
    }
    this.propertiesWhole = (seen & (SEEN_ALIAS | SEEN_EXPIRY)) === 0;
    return stop;
  }

  #readOnce(buffer: Buffer, id: number, at: number, stop: number): number {
    switch (id) {
      case 0x01: {
        if (at === stop) return at + 1;
        const format = u8(buffer, at);
        if (format > 1) throw protocolError("PUBLISH: payload format indicator above 1");
        this.utf8Payload = format === 1;
        return at + 1;
      }
      case 0x02:
        if (at + 4 <= stop) this.messageExpiry = u32(buffer, at);
        return at + 4;
      case 0x23:
        if (at + 2 <= stop) this.topicAlias = u16(buffer, at);
        return at + 2;
      case 0x03:
        return skipString(buffer, at, stop);
      case 0x08:
        return skipTopicName(buffer, at, stop);
      default:
        return skipBinary(buffer, at, stop);
    }
  }
}

function bitOf(id: number): number {
  switch (id) {
    case 0x01:
      return SEEN_FORMAT;
    case 0x02:
      return SEEN_EXPIRY;
    case 0x03:
      return SEEN_CONTENT_TYPE;
    case 0x08:
      return SEEN_RESPONSE_TOPIC;
    case 0x09:
      return SEEN_CORRELATION;
    case 0x23:
      return SEEN_ALIAS;
    case 0x0b:
      throw protocolError("PUBLISH: subscription identifier from a client [MQTT-3.3.4-6]");
    default:
      throw malformed(`PUBLISH: property 0x${id.toString(16)} is not allowed`);
  }
}

/** Checks a Response Topic: a topic name, so no wildcards [MQTT-3.3.2-14] and not empty. */
export function skipTopicName(buffer: Buffer, at: number, end: number): number {
  const stop = skipString(buffer, at, end);
  if (stop === at + 2) throw protocolError("the response topic is empty [MQTT-4.7.3-1]");
  for (let i = at + 2; i < stop; i++) {
    const byte = u8(buffer, i);
    if (byte === 0x23 || byte === 0x2b) {
      throw protocolError("the response topic has a wildcard [MQTT-3.3.2-14]");
    }
  }
  return stop;
}
