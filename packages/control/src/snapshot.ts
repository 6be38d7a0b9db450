/**
 * The state as it was at one moment, in chunks that are whole in themselves: a kind, then entries.
 * 1 = header, 2 = members with their tokens, 3 = gateways that are down, 4 = places, 5 = session nodes,
 * 6 = bans, 7 = end with what there has to be. The window of recent changes is not part of it.
 */
import { ByteWriter } from "@canopy/base";
import type { DownGateway, Incarnation, WholeView } from "./change.ts";
import { writeBan, writeMember, writeNode, writePlace } from "./encode-values.ts";

/** Raised when the meaning of the bytes changes; a reader refuses newer ones. */
export const SNAPSHOT_VERSION = 2;

export const HEADER_CHUNK = 1;
export const MEMBERS_CHUNK = 2;
export const DOWN_CHUNK = 3;
export const PLACES_CHUNK = 4;
export const NODES_CHUNK = 5;
export const BANS_CHUNK = 6;
export const END_CHUNK = 7;

const CHUNK_BYTES = 64 * 1024;

/** Nothing of what it is given may change later. */
export function* encodeSnapshot(
  whole: WholeView,
  tokens: ReadonlyMap<Incarnation, string>,
  lastReplica: number,
): Generator<Uint8Array, undefined> {
  const { members, down, places, nodes, bans } = whole;
  yield encodeHeader(whole, lastReplica);
  yield* encodeList(MEMBERS_CHUNK, members, (w, member) => {
    writeMember(w, member);
    w.string(tokens.get(member.incarnation) ?? "");
  });
  yield* encodeList(DOWN_CHUNK, down, writeDown);
  yield* encodeList(PLACES_CHUNK, places, writePlace);
  yield* encodeList(NODES_CHUNK, nodes, writeNode);
  yield* encodeList(BANS_CHUNK, bans, writeBan);
  const w = new ByteWriter();
  w.u8(END_CHUNK);
  for (const { length } of [members, down, places, nodes, bans]) w.varint(length);
  yield w.take();
  return undefined;
}

function encodeHeader({ version, shards, groups }: WholeView, lastReplica: number): Uint8Array {
  const w = new ByteWriter();
  w.u8(HEADER_CHUNK);
  w.u8(SNAPSHOT_VERSION);
  w.varint(version);
  w.varint(shards);
  w.varint(groups);
  w.varint(lastReplica);
  return w.take();
}

function writeDown(w: ByteWriter, { incarnation, since }: DownGateway): void {
  w.varint(incarnation);
  w.varint(since);
}

function* encodeList<T>(
  kind: number,
  items: readonly T[],
  write: (w: ByteWriter, item: T) => void,
): Generator<Uint8Array, undefined> {
  const w = new ByteWriter(CHUNK_BYTES);
  for (let i = 0; i < items.length; ) {
    w.reset();
    w.u8(kind);
    for (; i < items.length && w.length < CHUNK_BYTES; i++) write(w, items[i] as T);
    yield w.take();
  }
  return undefined;
}
