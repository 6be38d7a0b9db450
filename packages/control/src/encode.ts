/** Commands to bytes: a version, the type, then the command's own fields. */
import { ByteWriter } from "@canopy/base";
import type { Assignment, Command, CommandType, Founder } from "./commands.ts";
import { writeBan, writeBanKind, writeList, writeMemberKind, writeWish } from "./encode-values.ts";

/** Raised when the meaning of the bytes changes; a decoder refuses newer ones. */
export const COMMAND_VERSION = 1;

/** On disk: numbers are never given a new meaning. 10 and 11 were never written. */
export const TYPE_CODES: Readonly<Record<CommandType, number>> = {
  create: 1,
  join: 2,
  "gateway-down": 3,
  "gateway-gone": 4,
  "store-down": 5,
  assign: 6,
  reopen: 7,
  ban: 8,
  unban: 9,
  founders: 12,
  node: 13,
  "node-wish": 14,
  "node-left": 15,
};

// One writer for all: encoding never yields, and take() copies.
const shared = new ByteWriter(1024);

export function encodeCommand(command: Command): Uint8Array {
  shared.reset();
  shared.u8(COMMAND_VERSION);
  shared.u8(TYPE_CODES[command.type]);
  writeBody(shared, command);
  return shared.take();
}

function writeBody(w: ByteWriter, command: Command): void {
  switch (command.type) {
    case "create":
      w.varint(command.shards);
      return w.varint(command.groups);
    case "join":
      writeMemberKind(w, command.kind);
      w.string(command.name);
      w.string(command.address);
      w.string(command.disk);
      return w.string(command.token);
    case "gateway-down":
    case "gateway-gone":
    case "store-down":
      return w.varint(command.incarnation);
    case "assign":
      return writeList(w, command.assignments, writeAssignment);
    case "reopen":
      w.varint(command.incarnation);
      return w.varint(command.shard);
    case "ban":
      writeBan(w, command.ban);
      return w.varint(command.wall);
    case "unban":
      writeBanKind(w, command.kind);
      return w.string(command.value);
    case "founders":
      return writeList(w, command.founders, writeFounder);
    case "node":
      w.string(command.name);
      w.string(command.address);
      w.varint(command.disk);
      return w.varint(command.replica);
    case "node-wish":
      w.string(command.name);
      return writeWish(w, command.wish);
    case "node-left":
      w.string(command.name);
      return w.varint(command.replica);
  }
}

function writeAssignment(w: ByteWriter, assignment: Assignment): void {
  w.varint(assignment.shard);
  w.varint(assignment.owner);
  w.varint(assignment.epoch);
}

function writeFounder(w: ByteWriter, { name, disk, replica }: Founder): void {
  w.string(name);
  w.varint(disk);
  w.varint(replica);
}
