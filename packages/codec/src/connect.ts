import { skipBinary, skipString, u8, varintSize } from "./bytes.ts";
import { type PacketOf, parsePacket } from "./mqtt-packet.ts";
import type { Connect, UserProperties, Version, Will } from "./packets.ts";
import { CONNECT, UserPropertyList, WILL, walkProperties } from "./properties.ts";
import { MalformedPacket, malformed, protocolError, REASON } from "./reason.ts";

const USER_NAME = 0x80;
const PASSWORD = 0x40;
const WILL_RETAIN = 0x20;
const WILL_QOS = 0x18;
const WILL_FLAG = 0x04;
const RESERVED = 0x01;

const AUTHENTICATION_METHOD = 0x15;
const AUTHENTICATION_DATA = 0x16;
const WILL_DELAY = 0x18;
const MESSAGE_EXPIRY = 0x02;

/** What mqtt-packet does not tell or does not check. */
interface Checked {
  readonly version: Version;
  readonly bridge: boolean;
  readonly userProperties: UserProperties;
  readonly willProperties: Uint8Array;
}

/** Decodes a CONNECT packet (3.1) in `buffer[start … end)` whose body starts at `body`. */
export function decodeConnect(buffer: Buffer, start: number, body: number, end: number): Connect {
  const checked = checkConnect(buffer, body, end);
  // In time for this packet the version was not known yet.
  if (checked.version === 5 && body - start > 1 + varintSize(end - body)) {
    throw malformed("the remaining length is longer than needed [MQTT-1.5.5-1]");
  }
  const packet = parsePacket("connect", buffer.subarray(start, end), checked.version);
  const properties = packet.properties;
  return {
    type: "connect",
    version: checked.version,
    bridge: checked.bridge,
    cleanStart: packet.clean === true,
    keepAlive: packet.keepalive ?? 0,
    clientId: packet.clientId,
    will: packet.will && toWill(packet.will, checked.willProperties),
    userName: packet.username,
    password: packet.password && copyOf(packet.password),
    sessionExpiry: properties?.sessionExpiryInterval,
    receiveMaximum: properties?.receiveMaximum ?? 65_535,
    maximumPacketSize: properties?.maximumPacketSize,
    topicAliasMaximum: properties?.topicAliasMaximum ?? 0,
    requestResponseInformation: properties?.requestResponseInformation ?? false,
    requestProblemInformation: properties?.requestProblemInformation ?? true,
    authenticationMethod: properties?.authenticationMethod,
    authenticationData: properties?.authenticationData && copyOf(properties.authenticationData),
    userProperties: checked.userProperties,
  };
}

/**
 * The version in which whoever sent this CONNECT understands a CONNACK; 0 if it is no MQTT at all.
 * Versions to come are told in the latest that we know.
 */
export function refusalVersion(buffer: Buffer, body: number, end: number): Version | 0 {
  const nameEnd = body + 2 + (body + 2 <= end ? buffer.readUInt16BE(body) : 0);
  if (nameEnd >= end) return 0;
  const name = buffer.toString("latin1", body + 2, nameEnd);
  if (name === "MQIsdp") return 3;
  if (name !== "MQTT") return 0;
  return (u8(buffer, nameEnd) & 127) < 5 ? 4 : 5;
}

/** Walks over the packet and refuses what is not as the standard wants it. */
function checkConnect(buffer: Buffer, body: number, end: number): Checked {
  const nameEnd = skipBinary(buffer, body, end);
  if (end - nameEnd < 4) throw malformed("CONNECT: cut off");
  const level = u8(buffer, nameEnd);
  const version = versionOf(buffer.toString("latin1", body + 2, nameEnd), level);
  const flags = u8(buffer, nameEnd + 1);
  checkFlags(flags, version);
  // The Keep Alive is any two bytes.
  let at = nameEnd + 4;
  const list = new UserPropertyList(buffer);
  if (version === 5) at = checkProperties(buffer, at, end, list);
  at = skipString(buffer, at, end);
  let willProperties: Uint8Array = new Uint8Array(0);
  if ((flags & WILL_FLAG) !== 0) {
    if (version === 5) {
      const forwarded: Uint8Array[] = [];
      at = walkProperties(buffer, at, end, WILL, (id, from, _value, to) => {
        if (id !== WILL_DELAY && id !== MESSAGE_EXPIRY) forwarded.push(buffer.subarray(from, to));
      });
      willProperties = copyOf(Buffer.concat(forwarded));
    }
    at = skipBinary(buffer, skipString(buffer, at, end), end);
  }
  if ((flags & USER_NAME) !== 0) at = skipString(buffer, at, end);
  if ((flags & PASSWORD) !== 0) at = skipBinary(buffer, at, end);
  if (at !== end) throw malformed("CONNECT: bytes behind the last field");
  return { version, bridge: level > 127, userProperties: list.pairs, willProperties };
}

/** Protocol Name and Protocol Version [MQTT-3.1.2-1] [MQTT-3.1.2-2]. */
function versionOf(name: string, level: number): Version {
  if (name === "MQTT" && level === 5) return 5;
  // Bridges of Mosquitto's kind mark themselves by the highest bit.
  const plain = level & 127;
  if (name === "MQTT" && plain === 4) return 4;
  if (name === "MQIsdp" && plain === 3) return 3;
  throw new MalformedPacket(
    REASON.unsupportedProtocolVersion,
    `CONNECT: unknown protocol, level ${level}`,
  );
}

function checkFlags(flags: number, version: Version): void {
  if ((flags & RESERVED) !== 0) throw malformed("CONNECT: reserved flag [MQTT-3.1.2-3]");
  if ((flags & WILL_FLAG) === 0) {
    if ((flags & WILL_QOS) !== 0) throw malformed("CONNECT: Will QoS, no will [MQTT-3.1.2-11]");
    if ((flags & WILL_RETAIN) !== 0) {
      throw malformed("CONNECT: Will Retain, no will [MQTT-3.1.2-13]");
    }
  }
  if ((flags & WILL_QOS) === WILL_QOS) throw malformed("CONNECT: Will QoS 3 [MQTT-3.1.2-12]");
  // MQTT-3.1.2-22 of MQTT 3.1.1; MQTT 5 allows it.
  if (version < 5 && (flags & (USER_NAME | PASSWORD)) === PASSWORD) {
    throw malformed("CONNECT: a password without a user name");
  }
}

function checkProperties(buffer: Buffer, at: number, end: number, list: UserPropertyList): number {
  let method = false;
  let data = false;
  const stop = walkProperties(buffer, at, end, CONNECT, (id, from, value, to) => {
    method ||= id === AUTHENTICATION_METHOD;
    data ||= id === AUTHENTICATION_DATA;
    list.visit(id, from, value, to);
  });
  if (data && !method) throw protocolError("CONNECT: authentication data without a method");
  return stop;
}

function toWill(will: NonNullable<PacketOf<"connect">["will"]>, forwarded: Uint8Array): Will {
  const properties = will.properties;
  return {
    topic: will.topic,
    payload: copyOf(will.payload),
    qos: will.qos ?? 0,
    retain: will.retain === true,
    delay: properties?.willDelayInterval ?? 0,
    expiry: properties?.messageExpiryInterval,
    utf8Payload: properties?.payloadFormatIndicator === true,
    properties: forwarded,
  };
}

/**
 * What outlives the call must not hold on to the chunk it came in, nor, by Buffer's pool, to its
 * neighbours.
 */
export function copyOf(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === "string" ? new TextEncoder().encode(bytes) : new Uint8Array(bytes);
}
