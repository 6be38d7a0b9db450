/**
 * Copies what a quiet group still needs into the present segment, so that it does not hold back an
 * old one, and all behind it, for ever.
 */
import { join } from "node:path";
import type { Logger } from "@canopy/base";
import type { Entry } from "../core/types.ts";
import { damaged } from "./damage.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { FRAME_HEADER_BYTES, frameLength, readFrame } from "./frame.ts";
import { decodeHeader, HEADER_BYTES } from "./header.ts";
import type { GroupId } from "./port.ts";
import { decodeRecords, type LogRecord } from "./records.ts";
import { segmentName } from "./segment.ts";
import type { Table } from "./table.ts";
import type { Wal } from "./wal.ts";

/** So many segments are held without anything being moved. */
const HELD = 4;
/** Moved where at most this part of a segment is needed, or of all that is held. */
const SPARSE = 0.25;
const SPARSE_OF_ALL = 0.5;
/** Read and written in parts, so that what else waits for the disk has its turn. */
const PART_BYTES = 256 * 1024;
const WINDOW_BYTES = 1024 * 1024;

export interface MoverOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly logger: Logger;
  readonly segmentBytes: number;
  readonly table: Table;
  readonly wal: Wal;
}

export class Mover {
  readonly #options: MoverOptions;
  #running: Promise<void> | undefined;
  /** The last one that was read, to its end or not: read again it would not get better. */
  #read = 0;
  #stop: (() => void) | undefined;
  #stopped = false;

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Looks whether the oldest segment is worth being emptied, and does it in the background. */
  consider(): void {
    const { wal, directory, logger } = this.#options;
    const [oldest] = wal.segments;
    if (this.#running !== undefined || this.#stopped || oldest === undefined) return;
    if (oldest <= this.#read) return;
    if (wal.segments.length <= HELD || !this.#isWorth(oldest)) return;
    this.#read = oldest;
    this.#running = this.#empty(oldest)
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        logger.error({ directory, error: reason }, "old raft log could not be read");
      })
      .finally(() => {
        this.#running = undefined;
        this.consider();
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stop?.();
    await this.#running;
  }

  #isWorth(oldest: number): boolean {
    const { table, wal, segmentBytes } = this.#options;
    let inOldest = 0;
    let inAll = 0;
    for (const { runs } of table.groups.values()) {
      for (const { segment, bytes } of runs.runs) {
        inAll += bytes;
        if (segment === oldest) inOldest += bytes;
      }
    }
    const held = wal.segments.length * segmentBytes;
    const isSparse = inOldest <= segmentBytes * SPARSE || inAll <= held * SPARSE_OF_ALL;
    return inOldest > 0 && isSparse;
  }

  async #empty(segment: number): Promise<void> {
    const { disk, directory, wal } = this.#options;
    const path = join(directory, segmentName(segment));
    const end = wal.endOf(segment) ?? 0;
    const file = await disk.open(path);
    try {
      for await (const [group, entries] of entriesOf(file, path, end)) {
        for (const part of partsOf(entries)) {
          // Most of what is in an old segment is needed by nobody.
          while (this.#needed(group, part, segment).length > 0) {
            await this.#move(group, part, segment);
            if (this.#stopped) return;
          }
          if (this.#stopped) return;
        }
      }
    } finally {
      await file.close();
    }
  }

  /** Of these entries those that the group's log has, and has nowhere else. */
  #needed(group: GroupId, entries: readonly Entry[], segment: number): Entry[] {
    const runs = this.#options.table.groups.get(group)?.runs;
    return entries.filter(
      ({ index, term }) => runs?.segmentAt(index) === segment && runs.termAt(index) === term,
    );
  }

  /** The first of them that are needed, without a gap. Settles when they are on the disk, or at stop. */
  #move(group: GroupId, entries: readonly Entry[], segment: number): Promise<void> {
    return new Promise((resolve) => {
      this.#stop = resolve;
      const record = (): LogRecord | undefined => {
        const needed = withoutGap(this.#needed(group, entries, segment));
        return needed.length === 0 ? undefined : { type: "moved", group, entries: needed };
      };
      this.#options.wal.add({ record, bytes: 0, alone: true, done: resolve });
    });
  }
}

/** A record has one index for all its entries; some between them may have been moved before. */
function withoutGap(entries: readonly Entry[]): readonly Entry[] {
  const gap = entries.findIndex(({ index }, i) => index !== (entries[0] as Entry).index + i);
  return gap < 0 ? entries : entries.slice(0, gap);
}

function* partsOf(entries: readonly Entry[]): Generator<readonly Entry[]> {
  let from = 0;
  let bytes = 0;
  for (const [i, { data }] of entries.entries()) {
    bytes += data.length;
    if (bytes < PART_BYTES) continue;
    yield entries.slice(from, i + 1);
    from = i + 1;
    bytes = 0;
  }
  if (from < entries.length) yield entries.slice(from);
}

/**
 * Every group of entries in a segment of which the content ends at `end`, in order, read in parts.
 * Throws a StorageError where there is no sound frame before that.
 */
async function* entriesOf(
  file: DiskFile,
  path: string,
  end: number,
): AsyncGenerator<readonly [GroupId, readonly Entry[]], undefined> {
  const { salt } = decodeHeader(path, await file.read(0, HEADER_BYTES));
  for (let at = HEADER_BYTES; at < end; ) {
    let bytes = await file.read(at, Math.min(WINDOW_BYTES, end - at));
    const length = frameLength(salt, bytes, 0) ?? 0;
    if (length > bytes.length) bytes = await file.read(at, Math.min(length, end - at));
    let read = 0;
    for (let frame = readFrame(salt, bytes, 0); frame; frame = readFrame(salt, bytes, read)) {
      for (const record of decodeRecords(bytes, frame.start + FRAME_HEADER_BYTES, frame.end)) {
        if (record.type === "write") yield [record.write.group, record.write.entries];
        else if (record.type === "moved") yield [record.group, record.entries];
      }
      read = frame.end;
    }
    if (read === 0) throw damaged(path, at, "bad frame");
    at += read;
  }
}
