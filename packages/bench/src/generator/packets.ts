/** What the generator sends. Sizes are known and small, so plain concatenation does. */

export type Version = 4 | 5;

function utf8(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([u16(bytes.length), bytes]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function u32(value: number): Buffer {
  return Buffer.from([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

function packet(first: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([first]), varint(body.length), body]);
}

function properties(version: Version, ...parts: readonly Buffer[]): Buffer {
  if (version !== 5) return Buffer.alloc(0);
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(body.length), body]);
}

export interface ConnectOptions {
  readonly version: Version;
  readonly clientId: string;
  readonly clean: boolean;
  /** Session expiry interval in seconds; with version 4, a session that is not clean stays. */
  readonly expiry: number;
  readonly keepAlive: number;
}

const SESSION_EXPIRY_INTERVAL = 0x11;
const RECEIVE_MAXIMUM = 0x21;
const NO_LIMIT = 65_535;

/** Without topic aliases, and as many messages in flight as the protocol allows. */
export function connectPacket(options: ConnectOptions): Buffer {
  const { version } = options;
  return packet(
    0x10,
    utf8("MQTT"),
    Buffer.from([version, options.clean ? 2 : 0]),
    u16(options.keepAlive),
    properties(
      version,
      Buffer.from([SESSION_EXPIRY_INTERVAL]),
      u32(options.expiry),
      Buffer.from([RECEIVE_MAXIMUM]),
      u16(NO_LIMIT),
    ),
    utf8(options.clientId),
  );
}

export function subscribePacket(
  version: Version,
  packetId: number,
  filters: readonly string[],
  qos: number,
): Buffer {
  const wanted = filters.flatMap((filter) => [utf8(filter), Buffer.from([qos])]);
  return packet(0x82, u16(packetId), properties(version), ...wanted);
}

export const DISCONNECT: Buffer = Buffer.from([0xe0, 0]);

/** A PUBLISH packet, of which packet identifier and payload are to be filled in. */
export interface PublishTemplate {
  readonly bytes: Buffer;
  /** Of the packet identifier; -1 at QoS 0. */
  readonly packetIdAt: number;
  readonly payloadAt: number;
}

export function publishTemplate(
  version: Version,
  topic: string,
  qos: number,
  retain: boolean,
  payload: Buffer,
): PublishTemplate {
  const packetId = qos === 0 ? Buffer.alloc(0) : u16(0);
  const first = 0x30 | (qos << 1) | (retain ? 1 : 0);
  const bytes = packet(first, utf8(topic), packetId, properties(version), payload);
  const payloadAt = bytes.length - payload.length;
  const packetIdAt = qos === 0 ? -1 : payloadAt - (version === 5 ? 1 : 0) - 2;
  return { bytes, packetIdAt, payloadAt };
}
