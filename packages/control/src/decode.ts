/** Bytes to commands: the opposite of encode.ts. */
import { ByteReader, DecodeError } from "@canopy/base";
import type { Assignment, Command, CommandType, Founder } from "./commands.ts";
import { COMMAND_VERSION, TYPE_CODES } from "./encode.ts";
import { readBan, readBanKind, readList, readMemberKind, readWish } from "./encode-values.ts";

const TYPES: ReadonlyMap<number, CommandType> = new Map(
  Object.entries(TYPE_CODES).map(([type, code]) => [code, type as CommandType]),
);

/** Throws a DecodeError for bytes that no encoder of this or an earlier version has made. */
export function decodeCommand(bytes: Uint8Array): Command {
  const r = new ByteReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const version = r.u8();
  if (version < 1 || version > COMMAND_VERSION) {
    throw new DecodeError(`command of version ${version}; known up to ${COMMAND_VERSION}`);
  }
  const code = r.u8();
  const type = TYPES.get(code);
  if (type === undefined) throw new DecodeError(`unknown command ${code}`);
  const command = readBody(r, type);
  r.expectEnd();
  return command;
}

function readBody(r: ByteReader, type: CommandType): Command {
  switch (type) {
    case "create":
      return { type, shards: r.varint(), groups: r.varint() };
    case "join":
      return {
        type,
        kind: readMemberKind(r),
        name: r.string(),
        address: r.string(),
        disk: r.string(),
        token: r.string(),
      };
    case "gateway-down":
    case "gateway-gone":
    case "store-down":
      return { type, incarnation: r.varint() };
    case "assign":
      return { type, assignments: readList(r, readAssignment) };
    case "reopen":
      return { type, incarnation: r.varint(), shard: r.varint() };
    case "ban":
      return { type, ban: readBan(r), wall: r.varint() };
    case "unban":
      return { type, kind: readBanKind(r), value: r.string() };
    case "founders":
      return { type, founders: readList(r, readFounder) };
    case "node":
      return {
        type,
        name: r.string(),
        address: r.string(),
        disk: r.varint(),
        replica: r.varint(),
      };
    case "node-wish":
      return { type, name: r.string(), wish: readWish(r) };
    case "node-left":
      return { type, name: r.string(), replica: r.varint() };
  }
}

function readAssignment(r: ByteReader): Assignment {
  return { shard: r.varint(), owner: r.varint(), epoch: r.varint() };
}

function readFounder(r: ByteReader): Founder {
  return { name: r.string(), disk: r.varint(), replica: r.varint() };
}
