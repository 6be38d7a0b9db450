/**
 * Progress of many sessions in few bytes: incarnations are differences from the one before, and
 * offsets are differences from the last one of the same shard, because the sessions of a gateway
 * mostly stand at the same place.
 */
import { type ByteReader, type ByteWriter, DecodeError } from "@canopy/base";
import {
  readCount,
  readList,
  readRetained,
  readSigned,
  writeRetained,
  writeSigned,
} from "./encode-values.ts";
import type { DoneRanges, Progress } from "./port.ts";

/** The last offset that was coded, per shard. */
type Last = Map<number, number>;

export function writeProgress(w: ByteWriter, batch: readonly Progress[]): void {
  const last: Last = new Map();
  let previous = 0;
  w.varint(batch.length);
  for (const progress of batch) {
    writeSigned(w, progress.incarnation - previous);
    previous = progress.incarnation;
    w.varint(progress.epoch);
    writeCursors(w, progress.cursors, last);
    w.varint(progress.done.length);
    for (const done of progress.done) writeDone(w, done, last);
    writeStrings(w, progress.drained);
    writeRetained(w, progress.retainedAfter);
    writeStrings(w, progress.retainedSent);
  }
}

function writeCursors(w: ByteWriter, cursors: readonly number[], last: Last): void {
  w.varint(cursors.length / 2);
  for (let i = 0; i < cursors.length; i += 2) {
    const shard = cursors[i] as number;
    w.varint(shard);
    writeOffset(w, shard, cursors[i + 1] as number, last);
  }
}

function writeDone(w: ByteWriter, done: DoneRanges, last: Last): void {
  w.varint(done.shard);
  w.varint(done.ranges.length);
  for (const offset of done.ranges) writeOffset(w, done.shard, offset, last);
}

function writeOffset(w: ByteWriter, shard: number, offset: number, last: Last): void {
  writeSigned(w, offset - (last.get(shard) ?? 0));
  last.set(shard, offset);
}

function writeStrings(w: ByteWriter, strings: readonly string[]): void {
  w.varint(strings.length);
  for (const string of strings) w.string(string);
}

export function readProgress(r: ByteReader): Progress[] {
  const last: Last = new Map();
  let previous = 0;
  return readList(r, () => {
    previous += readSigned(r);
    return {
      incarnation: previous,
      epoch: r.varint(),
      cursors: readCursors(r, last),
      done: readList(r, () => readDone(r, last)),
      drained: readList(r, readString),
      retainedAfter: readRetained(r),
      retainedSent: readList(r, readString),
    };
  });
}

function readCursors(r: ByteReader, last: Last): number[] {
  const cursors: number[] = [];
  for (let left = readCount(r); left > 0; left--) {
    const shard = r.varint();
    cursors.push(shard, readOffset(r, shard, last));
  }
  return cursors;
}

function readDone(r: ByteReader, last: Last): DoneRanges {
  const shard = r.varint();
  const count = readCount(r);
  if (count % 2 !== 0) throw new DecodeError("half a range");
  const ranges: number[] = [];
  for (let left = count; left > 0; left--) ranges.push(readOffset(r, shard, last));
  return { shard, ranges };
}

function readOffset(r: ByteReader, shard: number, last: Last): number {
  const offset = (last.get(shard) ?? 0) + readSigned(r);
  if (offset < 0) throw new DecodeError(`negative offset in shard ${shard}`);
  last.set(shard, offset);
  return offset;
}

function readString(r: ByteReader): string {
  return r.string();
}
