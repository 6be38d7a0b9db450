/** What commands and snapshots are made of, as bytes. */
import { type ByteReader, type ByteWriter, DecodeError } from "@canopy/base";
import type { Ban, Member, MemberKind, NodeStanding, SessionNode, ShardPlace } from "./change.ts";
import type { NodeWish } from "./port.ts";

/** On disk: numbers are never given a new meaning. */
const MEMBER_KINDS: readonly MemberKind[] = ["gateway", "store"];
const BAN_KINDS: readonly Ban["kind"][] = ["client", "user", "address"];
const STANDINGS: readonly NodeStanding[] = ["member", "leaving", "awaited", "left"];
const WISHES: readonly NodeWish["wish"][] = ["add", "remove", "replace", "drain", "resume"];

export function writeMemberKind(w: ByteWriter, kind: MemberKind): void {
  w.u8(MEMBER_KINDS.indexOf(kind));
}

export function readMemberKind(r: ByteReader): MemberKind {
  return known(MEMBER_KINDS, r.u8(), "kind of member");
}

export function writeBanKind(w: ByteWriter, kind: Ban["kind"]): void {
  w.u8(BAN_KINDS.indexOf(kind));
}

export function readBanKind(r: ByteReader): Ban["kind"] {
  return known(BAN_KINDS, r.u8(), "kind of ban");
}

export function writeMember(w: ByteWriter, member: Member): void {
  writeMemberKind(w, member.kind);
  w.varint(member.incarnation);
  w.string(member.name);
  w.string(member.address);
  w.string(member.disk);
}

export function readMember(r: ByteReader): Member {
  return {
    kind: readMemberKind(r),
    incarnation: r.varint(),
    name: r.string(),
    address: r.string(),
    disk: r.string(),
  };
}

export function writePlace(w: ByteWriter, place: ShardPlace): void {
  w.varint(place.shard);
  w.varint(place.owner);
  w.varint(place.epoch);
  w.string(place.home);
}

export function readPlace(r: ByteReader): ShardPlace {
  return { shard: r.varint(), owner: r.varint(), epoch: r.varint(), home: r.string() };
}

export function writeBan(w: ByteWriter, ban: Ban): void {
  writeBanKind(w, ban.kind);
  w.string(ban.value);
  w.string(ban.reason);
  w.varint(ban.until);
}

export function readBan(r: ByteReader): Ban {
  return { kind: readBanKind(r), value: r.string(), reason: r.string(), until: r.varint() };
}

export function writeWish(w: ByteWriter, wish: NodeWish["wish"]): void {
  w.u8(WISHES.indexOf(wish));
}

export function readWish(r: ByteReader): NodeWish["wish"] {
  return known(WISHES, r.u8(), "wish");
}

export function writeNode(w: ByteWriter, node: SessionNode): void {
  w.string(node.name);
  w.string(node.address);
  w.varint(node.disk);
  w.varint(node.replica);
  w.u8(STANDINGS.indexOf(node.standing));
  w.bool(node.drained);
}

export function readNode(r: ByteReader): SessionNode {
  return {
    name: r.string(),
    address: r.string(),
    disk: r.varint(),
    replica: r.varint(),
    standing: known(STANDINGS, r.u8(), "standing of a node"),
    drained: r.bool(),
  };
}

export function writeList<T>(
  w: ByteWriter,
  items: readonly T[],
  write: (w: ByteWriter, item: T) => void,
): void {
  w.varint(items.length);
  for (const item of items) write(w, item);
}

export function readList<T>(r: ByteReader, read: (r: ByteReader) => T): T[] {
  const items: T[] = [];
  for (let left = r.varint(); left > 0; left--) items.push(read(r));
  return items;
}

function known<T>(values: readonly T[], code: number, what: string): T {
  const value = values[code];
  if (value === undefined) throw new DecodeError(`unknown ${what} ${code}`);
  return value;
}
