/** Commands to bytes: a version, the type, the clock, then the command's own fields. */
import { ByteWriter } from "@canopy/base";
import type { Command, CommandType, MembersCommand, SessionKey } from "./commands.ts";
import { writeProgress } from "./encode-progress.ts";
import { writeRetained, writeUnfinished, writeVector, writeWill } from "./encode-values.ts";
import { OPTION_BITS, packOptions } from "./options.ts";
import type {
  DeliveryChanges,
  NewSubscription,
  OpenRequest,
  ReleaseRequest,
  SubscribeRequest,
  UnsubscribeRequest,
} from "./port.ts";

/**
 * Raised when the meaning of the bytes changes; a decoder refuses newer ones.
 *
 * 4: sessions know in which shards they have receipts. Nothing earlier is read: it was before the first
 * release.
 */
export const COMMAND_VERSION = 4;

/** On disk: numbers are never given a new meaning. */
export const TYPE_CODES: Readonly<Record<CommandType, number>> = {
  tick: 1,
  members: 2,
  "gateway-down": 3,
  open: 4,
  release: 5,
  subscribe: 6,
  unsubscribe: 7,
  progress: 8,
  deliveries: 9,
  expire: 10,
  "fire-will": 11,
  "will-done": 12,
  "ended-cleaned": 13,
};

/** Beside the packed options of a new subscription. */
export const SEND_RETAINED: number = 1 << OPTION_BITS;

// One writer for all: encoding never yields, and take() copies.
const shared = new ByteWriter(4096);

export function encodeCommand(command: Command): Uint8Array {
  shared.reset();
  shared.u8(COMMAND_VERSION);
  shared.u8(TYPE_CODES[command.type]);
  shared.varint(command.at);
  writeBody(shared, command);
  return shared.take();
}

function writeBody(w: ByteWriter, command: Command): void {
  switch (command.type) {
    case "tick":
      return;
    case "members":
      return writeMembers(w, command);
    case "gateway-down":
      w.varint(command.gateway);
      return writeList(w, command.sessions, writeNumber);
    case "open":
      return writeOpen(w, command.request);
    case "release":
      return writeRelease(w, command.request);
    case "subscribe":
      writeVector(w, command.heads);
      return writeList(w, command.requests, writeSubscribe);
    case "unsubscribe":
      return writeUnsubscribe(w, command.request);
    case "progress":
      return writeProgress(w, command.batch);
    case "deliveries":
      return writeList(w, command.batch, writeDeliveries);
    case "expire":
    case "fire-will":
      return writeList(w, command.sessions, writeKey);
    case "will-done":
      return writeList(w, command.wills, writeKey);
    case "ended-cleaned":
      return writeList(w, command.incarnations, writeNumber);
  }
}

function writeList<T>(
  w: ByteWriter,
  items: readonly T[],
  write: (w: ByteWriter, item: T) => void,
): void {
  w.varint(items.length);
  for (const item of items) write(w, item);
}

function writeNumber(w: ByteWriter, value: number): void {
  w.varint(value);
}

function writeString(w: ByteWriter, value: string): void {
  w.string(value);
}

function writeKey(w: ByteWriter, key: SessionKey): void {
  w.varint(key.incarnation);
  w.varint(key.epoch);
}

function writeMembers(w: ByteWriter, command: MembersCommand): void {
  w.varint(command.version);
  writeVector(w, command.gatewaysUp);
  writeVector(w, command.gatewaysGone);
  writeVector(w, command.storesUp);
  writeVector(w, command.storesDown);
}

function writeOpen(w: ByteWriter, request: OpenRequest): void {
  const { will, user } = request;
  w.u8((request.cleanStart ? 1 : 0) | (will ? 2 : 0) | (user === undefined ? 0 : 4));
  w.string(request.clientId);
  w.varint(request.gateway);
  w.varint(request.requestId);
  w.varint(request.expiry);
  if (will) writeWill(w, will);
  if (user !== undefined) w.string(user);
}

function writeRelease(w: ByteWriter, request: ReleaseRequest): void {
  const { receiptShards } = request;
  w.u8(
    (request.will === "publish" ? 1 : 0) |
      (request.expiry === undefined ? 0 : 2) |
      (receiptShards === undefined ? 0 : 4),
  );
  if (request.expiry !== undefined) w.varint(request.expiry);
  writeProgress(w, [request]);
  writeList(w, request.unfinished, writeUnfinished);
  if (receiptShards !== undefined) writeVector(w, receiptShards);
}

function writeSubscribe(w: ByteWriter, request: SubscribeRequest): void {
  writeKey(w, request);
  writeList(w, request.subscriptions, writeNewSubscription);
}

function writeNewSubscription(w: ByteWriter, subscription: NewSubscription): void {
  w.string(subscription.filter);
  const sendRetained = subscription.sendRetained ? SEND_RETAINED : 0;
  w.u8(packOptions(subscription) | sendRetained);
  w.varint(subscription.subscriptionIdentifier);
}

function writeUnsubscribe(w: ByteWriter, request: UnsubscribeRequest): void {
  writeKey(w, request);
  writeList(w, request.filters, writeString);
  writeList(w, request.draining, writeString);
}

function writeDeliveries(w: ByteWriter, changes: DeliveryChanges): void {
  writeKey(w, changes);
  writeList(w, changes.completed, writeNumber);
  writeList(w, changes.received, writeNumber);
  writeList(w, changes.assigned, writeUnfinished);
  writeRetained(w, changes.retainedAfter);
  writeVector(w, changes.receiptShards ?? []);
}
