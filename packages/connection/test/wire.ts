// Bytes of what clients send, written without the code that reads them.

export interface WillFields {
  readonly topic: string;
  readonly payload?: string;
  readonly qos?: number;
  readonly retain?: boolean;
}

export interface ConnectFields {
  readonly version?: 3 | 4 | 5;
  readonly clientId?: string;
  readonly cleanStart?: boolean;
  readonly keepAlive?: number;
  readonly will?: WillFields;
  readonly sessionExpiry?: number;
  readonly receiveMaximum?: number;
  readonly topicAliasMaximum?: number;
  readonly responseInformation?: boolean;
  readonly problemInformation?: boolean;
  readonly method?: string;
  readonly data?: string;
}

export interface PublishFields {
  readonly qos?: number;
  readonly packetId?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly alias?: number;
  readonly utf8?: boolean;
  readonly payload?: string | Uint8Array;
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function u32(value: number): Buffer {
  return Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
}

function varint(value: number): Buffer {
  const low = value & 127;
  return value < 128
    ? Buffer.from([low])
    : Buffer.concat([Buffer.from([low | 128]), varint(value >> 7)]);
}

function string(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([u16(bytes.length), bytes]);
}

function sized(...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(body.length), body]);
}

function packet(first: number, ...parts: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([first]), sized(...parts)]);
}

/** A property, or nothing where it has no value. */
function property<T>(id: number, value: T | undefined, write: (value: T) => Uint8Array): Buffer {
  if (value === undefined) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([id]), write(value)]);
}

const flag = (value: boolean): Buffer => Buffer.from([value ? 1 : 0]);

export function connect(fields: ConnectFields = {}): Buffer {
  const { version = 5, clientId = "c", cleanStart = false, keepAlive = 60, will } = fields;
  const flags =
    (cleanStart ? 2 : 0) |
    (will === undefined ? 0 : 4 | ((will.qos ?? 0) << 3) | (will.retain === true ? 32 : 0));
  const properties = [
    property(0x11, fields.sessionExpiry, u32),
    property(0x21, fields.receiveMaximum, u16),
    property(0x22, fields.topicAliasMaximum, u16),
    property(0x19, fields.responseInformation, flag),
    property(0x17, fields.problemInformation, flag),
    property(0x15, fields.method, string),
    property(0x16, fields.data, string),
  ];
  const willFields =
    will === undefined
      ? []
      : [
          ...(version === 5 ? [sized()] : []),
          string(will.topic),
          string(will.payload ?? "the will"),
        ];
  return packet(
    0x10,
    string(version === 3 ? "MQIsdp" : "MQTT"),
    Buffer.from([version, flags]),
    u16(keepAlive),
    ...(version === 5 ? [sized(...properties)] : []),
    string(clientId),
    ...willFields,
  );
}

export function publish(version: number, topic: string, fields: PublishFields = {}): Buffer {
  const { qos = 0, packetId = 1, dup = false, retain = false, payload = "hello" } = fields;
  const properties = [property(0x01, fields.utf8, flag), property(0x23, fields.alias, u16)];
  return packet(
    0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0),
    string(topic),
    ...(qos === 0 ? [] : [u16(packetId)]),
    ...(version === 5 ? [sized(...properties)] : []),
    Buffer.from(payload),
  );
}

/** PUBACK (4), PUBREC (5), PUBREL (6) or PUBCOMP (7). */
export function ack(type: number, packetId: number, reasonCode = 0): Buffer {
  const rest = reasonCode === 0 ? [] : [Buffer.from([reasonCode])];
  return packet((type << 4) | (type === 6 ? 2 : 0), u16(packetId), ...rest);
}

export interface Requested {
  readonly filter: string;
  /** Subscription Options as on the wire. */
  readonly options: number;
}

export function subscribe(
  version: number,
  packetId: number,
  requests: readonly Requested[],
  identifier?: number,
): Buffer {
  return packet(
    0x82,
    u16(packetId),
    ...(version === 5 ? [sized(property(0x0b, identifier, varint))] : []),
    ...requests.flatMap(({ filter, options }) => [string(filter), Buffer.from([options])]),
  );
}

export function unsubscribe(version: number, packetId: number, filters: readonly string[]): Buffer {
  const properties = version === 5 ? [sized()] : [];
  return packet(0xa2, u16(packetId), ...properties, ...filters.map(string));
}

export function pingreq(): Buffer {
  return packet(0xc0);
}

export function disconnect(version: number, reasonCode = 0, sessionExpiry?: number): Buffer {
  if (version !== 5) return packet(0xe0);
  const expiry = property(0x11, sessionExpiry, u32);
  return packet(0xe0, Buffer.from([reasonCode]), sized(expiry));
}

export function auth(reasonCode: number, method: string, data?: string): Buffer {
  const properties = sized(property(0x15, method, string), property(0x16, data, string));
  return packet(0xf0, Buffer.from([reasonCode]), properties);
}
