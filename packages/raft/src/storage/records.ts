/** What a frame holds, one behind the other: u8 kind, u32 length of what follows, and that. */
import { assert, ByteReader, type ByteWriter, DecodeError, unreachable } from "@canopy/base";
import {
  type Entry,
  EntryKind,
  type HardState,
  type LogIndex,
  type ReplicaId,
  type SnapshotMeta,
  type Term,
} from "../core/types.ts";
import { readMembers, readMeta, writeMembers, writeMeta } from "../wire/configuration.ts";
import type { DiskId, Founding, GroupId, GroupWrite } from "./port.ts";

const Kind = {
  Identity: 1,
  Oldest: 2,
  Created: 3,
  Removed: 4,
  Write: 5,
  Founding: 6,
  Compacted: 7,
  Moved: 8,
  State: 9,
  GivenUp: 10,
} as const;

const HARD_STATE = 1;
const SNAPSHOT = 2;
const ENTRIES = 4;

export type LogRecord =
  /** `format`: of what the nodes of a cluster exchange and store. */
  | { readonly type: "identity"; readonly disk: DiskId; readonly format: number }
  /** Nothing is needed of segments before this one. */
  | { readonly type: "oldest"; readonly segment: number }
  | {
      readonly type: "created";
      readonly group: GroupId;
      readonly replica: ReplicaId;
      readonly snapshot: SnapshotMeta;
    }
  | { readonly type: "removed"; readonly group: GroupId }
  | { readonly type: "write"; readonly write: GroupWrite }
  | { readonly type: "founding"; readonly group: GroupId; readonly founding: Founding }
  | {
      readonly type: "compacted";
      readonly group: GroupId;
      readonly index: LogIndex;
      readonly term: Term;
    }
  /** Entries that are in an earlier segment, once more. */
  | { readonly type: "moved"; readonly group: GroupId; readonly entries: readonly Entry[] }
  | { readonly type: "state"; readonly state: GroupState }
  /** Of the replicas that were removed here, the highest; at the head of every segment. */
  | { readonly type: "givenUp"; readonly group: GroupId; readonly replica: ReplicaId };

/** Everything about a group but its entries; at the head of every segment. */
export interface GroupState {
  readonly group: GroupId;
  readonly replica: ReplicaId;
  readonly hardState: HardState;
  /** What the log began with, or the snapshot that was installed last. */
  readonly base: SnapshotMeta;
  readonly installed: boolean;
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly last: LogIndex;
}

export function encodeRecord(w: ByteWriter, record: LogRecord): void {
  const at = w.gap(5);
  w.patchU8(at, encodeBody(w, record));
  w.patchU32(at + 1, w.length - at - 5);
}

/** Returns the kind. */
function encodeBody(w: ByteWriter, record: LogRecord): number {
  switch (record.type) {
    case "identity":
      w.varint(record.disk);
      w.varint(record.format);
      return Kind.Identity;
    case "oldest":
      w.varint(record.segment);
      return Kind.Oldest;
    case "created":
      w.varint(record.group);
      w.varint(record.replica);
      writeMeta(w, record.snapshot);
      return Kind.Created;
    case "removed":
      w.varint(record.group);
      return Kind.Removed;
    case "write":
      encodeWrite(w, record.write);
      return Kind.Write;
    case "founding":
      w.varint(record.group);
      w.varint(record.founding.replica);
      writeMembers(w, record.founding.members);
      return Kind.Founding;
    case "compacted":
      w.varint(record.group);
      w.varint(record.index);
      w.varint(record.term);
      return Kind.Compacted;
    case "moved":
      w.varint(record.group);
      encodeEntries(w, record.entries);
      return Kind.Moved;
    case "state":
      encodeState(w, record.state);
      return Kind.State;
    case "givenUp":
      w.varint(record.group);
      w.varint(record.replica);
      return Kind.GivenUp;
    default:
      return unreachable(record);
  }
}

function encodeWrite(w: ByteWriter, { group, hardState, snapshot, entries }: GroupWrite): void {
  w.varint(group);
  const flags =
    (hardState === undefined ? 0 : HARD_STATE) |
    (snapshot === undefined ? 0 : SNAPSHOT) |
    (entries.length === 0 ? 0 : ENTRIES);
  w.u8(flags);
  if (hardState !== undefined) encodeHardState(w, hardState);
  if (snapshot !== undefined) writeMeta(w, snapshot);
  if (entries.length > 0) encodeEntries(w, entries);
}

function encodeHardState(w: ByteWriter, { term, vote, commit }: HardState): void {
  w.varint(term);
  w.varint(vote);
  w.varint(commit);
}

function encodeEntries(w: ByteWriter, entries: readonly Entry[]): void {
  const first = (entries[0] as Entry).index;
  w.varint(entries.length);
  w.varint(first);
  for (const [i, { index, term, kind, data }] of entries.entries()) {
    // Read again, it would be another entry's.
    assert(index === first + i, `entry ${index} in the place of entry ${first + i}`);
    w.varint(term);
    w.u8(kind);
    w.bytes(data);
  }
}

function encodeState(w: ByteWriter, state: GroupState): void {
  w.varint(state.group);
  w.varint(state.replica);
  encodeHardState(w, state.hardState);
  writeMeta(w, state.base);
  w.bool(state.installed);
  w.varint(state.prevIndex);
  w.varint(state.prevTerm);
  w.varint(state.last);
}

/** The records between two places of a buffer. Entries' data are views. Throws a DecodeError. */
export function* decodeRecords(file: Buffer, start: number, end: number): Generator<LogRecord> {
  for (let at = start; at < end; ) {
    const head = new ByteReader(file, at, end);
    const kind = head.u8();
    const length = head.u32();
    head.skip(length);
    const r = new ByteReader(file, at + 5, at + 5 + length);
    yield decodeBody(r, kind);
    r.expectEnd();
    at += 5 + length;
  }
}

function decodeBody(r: ByteReader, kind: number): LogRecord {
  switch (kind) {
    case Kind.Identity:
      return { type: "identity", disk: r.varint(), format: r.varint() };
    case Kind.Oldest:
      return { type: "oldest", segment: r.varint() };
    case Kind.Created:
      return { type: "created", group: r.varint(), replica: r.varint(), snapshot: readMeta(r) };
    case Kind.Removed:
      return { type: "removed", group: r.varint() };
    case Kind.Write:
      return { type: "write", write: decodeWrite(r) };
    case Kind.Founding: {
      const group = r.varint();
      const founding = { replica: r.varint(), members: readMembers(r) };
      return { type: "founding", group, founding };
    }
    case Kind.Compacted:
      return { type: "compacted", group: r.varint(), index: r.varint(), term: r.varint() };
    case Kind.Moved:
      return { type: "moved", group: r.varint(), entries: decodeEntries(r) };
    case Kind.State:
      return { type: "state", state: decodeState(r) };
    case Kind.GivenUp:
      return { type: "givenUp", group: r.varint(), replica: r.varint() };
    default:
      throw new DecodeError(`no such kind of record: ${kind}`);
  }
}

function decodeWrite(r: ByteReader): GroupWrite {
  const group = r.varint();
  const flags = r.u8();
  return {
    group,
    hardState: flags & HARD_STATE ? decodeHardState(r) : undefined,
    snapshot: flags & SNAPSHOT ? readMeta(r) : undefined,
    entries: flags & ENTRIES ? decodeEntries(r) : [],
  };
}

function decodeHardState(r: ByteReader): HardState {
  return { term: r.varint(), vote: r.varint(), commit: r.varint() };
}

function decodeEntries(r: ByteReader): Entry[] {
  const entries: Entry[] = [];
  const count = r.varint();
  const first = r.varint();
  for (let i = 0; i < count; i++) {
    const term = r.varint();
    const kind = r.u8();
    if (kind > EntryKind.Configuration) throw new DecodeError(`no such kind of entry: ${kind}`);
    entries.push({ index: first + i, term, kind: kind as EntryKind, data: r.bytes() });
  }
  return entries;
}

function decodeState(r: ByteReader): GroupState {
  return {
    group: r.varint(),
    replica: r.varint(),
    hardState: decodeHardState(r),
    base: readMeta(r),
    installed: r.bool(),
    prevIndex: r.varint(),
    prevTerm: r.varint(),
    last: r.varint(),
  };
}
