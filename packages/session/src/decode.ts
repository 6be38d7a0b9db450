/** Bytes to commands: the opposite of encode.ts. */
import { ByteReader, DecodeError } from "@canopy/base";
import type { Command, CommandType, MembersCommand, SessionKey } from "./commands.ts";
import { COMMAND_VERSION, SEND_RETAINED, TYPE_CODES } from "./encode.ts";
import { readProgress } from "./encode-progress.ts";
import { readList, readRetained, readUnfinished, readVector, readWill } from "./encode-values.ts";
import { isNoLocal, isRetainAsPublished, qosOf, retainHandlingOf } from "./options.ts";
import type {
  DeliveryChanges,
  NewSubscription,
  OpenRequest,
  Progress,
  ReleaseRequest,
  SubscribeRequest,
  UnsubscribeRequest,
} from "./port.ts";

const TYPES: ReadonlyMap<number, CommandType> = new Map(
  Object.entries(TYPE_CODES).map(([type, code]) => [code, type as CommandType]),
);

/** Throws a DecodeError for bytes that no encoder of this version has made. */
export function decodeCommand(bytes: Uint8Array): Command {
  const r = new ByteReader(asBuffer(bytes));
  const version = r.u8();
  if (version !== COMMAND_VERSION) {
    throw new DecodeError(`command of version ${version}; known is ${COMMAND_VERSION}`);
  }
  const code = r.u8();
  const type = TYPES.get(code);
  if (type === undefined) throw new DecodeError(`unknown command ${code}`);
  const command = readBody(r, type, r.varint());
  r.expectEnd();
  return command;
}

function readBody(r: ByteReader, type: CommandType, at: number): Command {
  switch (type) {
    case "tick":
      return { type, at };
    case "members":
      return readMembers(r, at);
    case "gateway-down":
      return { type, at, gateway: r.varint(), sessions: readVector(r) };
    case "open":
      return { type, at, request: readOpen(r) };
    case "release":
      return { type, at, request: readRelease(r) };
    case "subscribe":
      return { type, at, heads: readVector(r), requests: readList(r, readSubscribe) };
    case "unsubscribe":
      return { type, at, request: readUnsubscribe(r) };
    case "progress":
      return { type, at, batch: readProgress(r) };
    case "deliveries":
      return { type, at, batch: readList(r, readDeliveries) };
    case "expire":
    case "fire-will":
      return { type, at, sessions: readList(r, readKey) };
    case "will-done":
      return { type, at, wills: readList(r, readKey) };
    case "ended-cleaned":
      return { type, at, incarnations: readVector(r) };
  }
}

/** A log gives Buffers, and a second view of the same bytes costs as much as a short command. */
function asBuffer(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readString(r: ByteReader): string {
  return r.string();
}

function readKey(r: ByteReader): SessionKey {
  return { incarnation: r.varint(), epoch: r.varint() };
}

function readMembers(r: ByteReader, at: number): MembersCommand {
  return {
    type: "members",
    at,
    version: r.varint(),
    gatewaysUp: readVector(r),
    gatewaysGone: readVector(r),
    storesUp: readVector(r),
    storesDown: readVector(r),
  };
}

function readOpen(r: ByteReader): OpenRequest {
  const flags = r.u8();
  return {
    cleanStart: (flags & 1) !== 0,
    clientId: r.string(),
    gateway: r.varint(),
    requestId: r.varint(),
    expiry: r.varint(),
    will: flags & 2 ? readWill(r) : undefined,
    user: flags & 4 ? r.string() : undefined,
  };
}

function readRelease(r: ByteReader): ReleaseRequest {
  const flags = r.u8();
  const expiry = flags & 2 ? r.varint() : undefined;
  const [progress, ...others] = readProgress(r) as [Progress, ...Progress[]];
  if (progress === undefined || others.length > 0) throw new DecodeError("release of one session");
  return {
    ...progress,
    will: flags & 1 ? "publish" : "drop",
    expiry,
    unfinished: readList(r, readUnfinished),
    ...(flags & 4 && { receiptShards: readVector(r) }),
  };
}

function readSubscribe(r: ByteReader): SubscribeRequest {
  return {
    incarnation: r.varint(),
    epoch: r.varint(),
    subscriptions: readList(r, readNewSubscription),
  };
}

function readNewSubscription(r: ByteReader): NewSubscription {
  const filter = r.string();
  const packed = r.u8();
  return {
    filter,
    qos: qosOf(packed),
    noLocal: isNoLocal(packed),
    retainAsPublished: isRetainAsPublished(packed),
    retainHandling: retainHandlingOf(packed),
    sendRetained: (packed & SEND_RETAINED) !== 0,
    subscriptionIdentifier: r.varint(),
  };
}

function readUnsubscribe(r: ByteReader): UnsubscribeRequest {
  return {
    ...readKey(r),
    filters: readList(r, readString),
    draining: readList(r, readString),
  };
}

function readDeliveries(r: ByteReader): DeliveryChanges {
  const changes = {
    ...readKey(r),
    completed: readVector(r),
    received: readVector(r),
    assigned: readList(r, readUnfinished),
    retainedAfter: readRetained(r),
  };
  const receiptShards = readVector(r);
  return receiptShards.length === 0 ? changes : { ...changes, receiptShards };
}
