/** Reads segments as they are on the disk, for the start and for inspection; changes nothing. */
import { join } from "node:path";
import { damaged } from "./damage.ts";
import type { Disk } from "./disk.ts";
import { FRAME_HEADER_BYTES, type Frame, findFrame, readFrame } from "./frame.ts";
import { decodeHeader, HEADER_BYTES, type SegmentHeader } from "./header.ts";
import { decodeRecords, type LogRecord } from "./records.ts";
import { segmentName } from "./segment.ts";

export class SegmentContent {
  readonly path: string;
  readonly header: SegmentHeader;
  readonly bytes: Buffer;

  private constructor(path: string, header: SegmentHeader, bytes: Buffer) {
    this.path = path;
    this.header = header;
    this.bytes = bytes;
  }

  /** Throws a StorageError for a bad header, or one with another number than the name. */
  static async read(disk: Disk, directory: string, number: number): Promise<SegmentContent> {
    const path = join(directory, segmentName(number));
    const bytes = await readWhole(disk, path);
    const header = decodeHeader(path, bytes);
    if (header.number !== number) throw damaged(path, 0, `it is segment ${header.number}`);
    return new SegmentContent(path, header, bytes);
  }

  /** The first frame; undefined if nothing sound was written in this life of the file. */
  get first(): Frame | undefined {
    return readFrame(this.header.salt, this.bytes, HEADER_BYTES);
  }

  /** The sound frames from a place on, without a gap, at most to `end`. */
  *frames(end: number = this.bytes.length, from: number = HEADER_BYTES): Generator<Frame> {
    for (let at = from; at < end; ) {
      const frame = readFrame(this.header.salt, this.bytes, at);
      if (frame === undefined) return;
      yield frame;
      at = frame.end;
    }
  }

  /** Throws a StorageError for records that can't be read. */
  *records(frame: Frame): Generator<LogRecord> {
    const { start, end } = frame;
    try {
      yield* decodeRecords(this.bytes, start + FRAME_HEADER_BYTES, end);
    } catch (cause) {
      throw damaged(this.path, start, "a record that can't be read", cause);
    }
  }

  /**
   * Frames of one write may reach the disk in part and in any order, also behind a gap. But a later
   * frame that says that this place had been synced before it was written proves that it is damaged.
   */
  provesLoss(at: number): Frame | undefined {
    for (let from = at + 1; ; ) {
      const later = findFrame(this.header.salt, this.bytes, from);
      if (later === undefined || later.synced > at) return later;
      from = later.end;
    }
  }
}

async function readWhole(disk: Disk, path: string): Promise<Buffer> {
  const file = await disk.open(path);
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}
