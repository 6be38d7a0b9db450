/** One message in bytes: its type, who to whom in which term, and what the type adds. */
import { assert, type ByteReader, type ByteWriter, DecodeError } from "@canopy/base";
import { type Entry, EntryKind, type Message } from "../core/types.ts";
import { readMeta, writeMeta } from "./configuration.ts";

/** The byte of each type on the wire: a new one goes to the end, and none is given again. */
const TYPES = [
  "vote",
  "preVote",
  "voteAnswer",
  "preVoteAnswer",
  "append",
  "appendAnswer",
  "heartbeat",
  "heartbeatAnswer",
  "snapshot",
  "timeoutNow",
  "readIndex",
  "readIndexAnswer",
] as const satisfies readonly Message["type"][];
const CODES = new Map<Message["type"], number>(TYPES.map((type, code) => [type, code]));

export function writeMessage(writer: ByteWriter, message: Message): void {
  writer.u8(CODES.get(message.type) as number);
  writer.varint(message.from);
  writer.varint(message.to);
  writer.varint(message.term);
  switch (message.type) {
    case "vote":
    case "preVote":
      writer.varint(message.lastIndex);
      writer.varint(message.lastTerm);
      writer.bool(message.force);
      return;
    case "voteAnswer":
    case "preVoteAnswer":
      writer.bool(message.granted);
      writer.varint(message.commit);
      writer.varint(message.commitTerm);
      return;
    case "append":
      writer.varint(message.prevIndex);
      writer.varint(message.prevTerm);
      writer.varint(message.commit);
      writeEntries(writer, message.prevIndex, message.entries);
      return;
    case "appendAnswer":
      writer.varint(message.index);
      writer.bool(message.rejected);
      writer.varint(message.hintIndex);
      writer.varint(message.hintTerm);
      return;
    case "heartbeat":
      writer.varint(message.commit);
      writer.varint(message.context);
      return;
    case "heartbeatAnswer":
    case "readIndex":
      writer.varint(message.context);
      return;
    case "readIndexAnswer":
      writer.varint(message.context);
      writer.varint(message.index);
      return;
    case "snapshot":
      writeMeta(writer, message.snapshot);
      return;
    case "timeoutNow":
      return;
  }
}

export function readMessage(reader: ByteReader): Message {
  const code = reader.u8();
  const type = TYPES[code];
  if (type === undefined) throw new DecodeError(`no such message: ${code}`);
  const from = reader.varint();
  const to = reader.varint();
  const term = reader.varint();
  switch (type) {
    case "vote":
    case "preVote": {
      const lastIndex = reader.varint();
      const lastTerm = reader.varint();
      return { type, from, to, term, lastIndex, lastTerm, force: reader.bool() };
    }
    case "voteAnswer":
    case "preVoteAnswer": {
      const granted = reader.bool();
      const commit = reader.varint();
      return { type, from, to, term, granted, commit, commitTerm: reader.varint() };
    }
    case "append": {
      const prevIndex = reader.varint();
      const prevTerm = reader.varint();
      const commit = reader.varint();
      const entries = readEntries(reader, prevIndex);
      return { type, from, to, term, prevIndex, prevTerm, entries, commit };
    }
    case "appendAnswer": {
      const index = reader.varint();
      const rejected = reader.bool();
      const hintIndex = reader.varint();
      return { type, from, to, term, index, rejected, hintIndex, hintTerm: reader.varint() };
    }
    case "heartbeat": {
      const commit = reader.varint();
      return { type, from, to, term, commit, context: reader.varint() };
    }
    case "heartbeatAnswer":
    case "readIndex":
      return { type, from, to, term, context: reader.varint() };
    case "readIndexAnswer": {
      const context = reader.varint();
      return { type, from, to, term, context, index: reader.varint() };
    }
    case "snapshot":
      return { type, from, to, term, snapshot: readMeta(reader) };
    case "timeoutNow":
      return { type, from, to, term };
  }
}

/** Without their indexes, which follow from `previous`. */
function writeEntries(writer: ByteWriter, previous: number, entries: readonly Entry[]): void {
  writer.varint(entries.length);
  let index = previous;
  for (const entry of entries) {
    assert(entry.index === ++index, "the entries of an append follow one another");
    writer.u8(entry.kind);
    writer.varint(entry.term);
    writer.bytes(entry.data);
  }
}

function readEntries(reader: ByteReader, previous: number): Entry[] {
  const entries: Entry[] = [];
  const count = reader.varint();
  if (!Number.isSafeInteger(previous + count)) throw new DecodeError("an index beyond 2^53 - 1");
  for (let index = previous + 1; index <= previous + count; index++) {
    const kind = readKind(reader);
    const term = reader.varint();
    entries.push({ index, term, kind, data: reader.bytes() });
  }
  return entries;
}

function readKind(reader: ByteReader): EntryKind {
  const kind = reader.u8();
  if (kind > EntryKind.Configuration) throw new DecodeError(`no such kind of entry: ${kind}`);
  return kind as EntryKind;
}
