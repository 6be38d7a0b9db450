/** Brings the files of the log back to what they say: where each group stands, and its entries. */
import { join } from "node:path";
import type { Entry, LogIndex } from "../core/types.ts";
import { damaged, missing, newer } from "./damage.ts";
import type { Disk } from "./disk.ts";
import { HEADER_BYTES } from "./header.ts";
import type { GroupId } from "./port.ts";
import type { LogRecord } from "./records.ts";
import { NOWHERE } from "./runs.ts";
import { SegmentContent } from "./scan.ts";
import { isSpare, segmentName, segmentNumber } from "./segment.ts";
import { parseSnapshotName } from "./snapshot-file.ts";
import { Table } from "./table.ts";

/** Of what the nodes of a cluster exchange and store; in the identity record. */
export const CLUSTER_FORMAT = 1;

export interface Place {
  readonly number: number;
  /** Where the content ends. */
  readonly end: number;
}

export interface RecoveredWal {
  readonly table: Table;
  /** Behind the compacted index, in order. */
  readonly entries: ReadonlyMap<GroupId, readonly Entry[]>;
  /** Segments with content that are needed, ascending; the last one ends the log. */
  readonly chain: readonly Place[];
  /** Segments without content of use: begun and not written, or given up. */
  readonly void: readonly number[];
  /** Of the next frame. */
  readonly nextFrame: number;
  /** Above every segment that there is. */
  readonly nextSegment: number;
}

interface Link extends Place {
  /** Number of the segment before it; 0 if it is the first of all. */
  readonly previous: number;
}

/** Undefined if nothing was ever written here. Throws a StorageError for what must not be started from. */
export async function recoverWal(disk: Disk, directory: string): Promise<RecoveredWal | undefined> {
  const names = await disk.list(directory);
  const numbers = segmentNumbers(names);
  const chain = await findChain(disk, directory, numbers);
  if (chain.length === 0) {
    if (await isFirstStart(disk, directory, names, numbers)) return undefined;
    throw missing(join(directory, segmentName(numbers[0] ?? 1)), NOTHING_SOUND);
  }
  const replay = new Replay();
  let nextFrame: number | undefined;
  for (const place of chain) {
    const content = await SegmentContent.read(disk, directory, place.number);
    nextFrame = replay.read(content, place, nextFrame);
  }
  replay.finish(directory, chain);
  const linked = new Set(chain.map(({ number }) => number));
  return {
    table: replay.table,
    entries: replay.entries,
    chain,
    void: numbers.filter((number) => !linked.has(number)),
    nextFrame: nextFrame as number,
    nextSegment: (numbers.at(-1) as number) + 1,
  };
}

const NOTHING_SOUND = "no segment has any content, but there was some";

export function noLog(directory: string): Error {
  return missing(join(directory, segmentName(1)), "there are snapshots, but no log");
}

/** Ascending. */
export function segmentNumbers(names: readonly string[]): number[] {
  return names
    .map(segmentNumber)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}

/**
 * Whether segments without content are what a first start left that failed or was killed: it tries
 * others when the first can't be written. One that has more room than it takes was made ready while
 * another was filled, which is lost then.
 */
async function isFirstStart(
  disk: Disk,
  directory: string,
  names: readonly string[],
  numbers: readonly number[],
): Promise<boolean> {
  // Snapshots without any segment are refused by who reads them.
  if (names.some(isSpare)) return false;
  if (numbers.length > 0 && names.some((name) => parseSnapshotName(name))) return false;
  for (const number of numbers) {
    const { bytes } = await SegmentContent.read(disk, directory, number);
    if (bytes.length > FIRST_START_BYTES) return false;
  }
  return true;
}

/** Header, head and the first record take less. */
const FIRST_START_BYTES = 256;

/**
 * From the last segment with content back: each says which one was before it and where that ended.
 * What is not on this way was given up.
 */
async function findChain(
  disk: Disk,
  directory: string,
  numbers: readonly number[],
): Promise<Place[]> {
  const chain: Link[] = [];
  for (const number of numbers.toReversed()) {
    const next = chain[0] as (Link & { previousEnd: number }) | undefined;
    if (next !== undefined && number > next.previous) continue;
    if (next !== undefined && number < next.previous) throw gap(directory, next.previous);
    const content = await SegmentContent.read(disk, directory, number);
    const { first } = content;
    if (first === undefined) {
      if (next !== undefined) throw damaged(content.path, HEADER_BYTES, BAD_INSIDE);
      if (content.provesLoss(HEADER_BYTES)) throw damaged(content.path, HEADER_BYTES, BAD_BEFORE);
      continue;
    }
    const end = next?.previousEnd ?? endOf(content);
    const previous = first.back === 0 ? 0 : number - first.back;
    const link = { number, end, previous, previousEnd: first.previousEnd };
    chain.unshift(link);
  }
  return chain;
}

const BAD_INSIDE = "bad frame, and another segment follows";
const BAD_BEFORE = "bad frame, and good ones behind it";

/** A frame that is not sound ends the last segment: a crash while it was written leaves that. */
function endOf(content: SegmentContent): number {
  let end = HEADER_BYTES;
  for (const frame of content.frames()) end = frame.end;
  if (content.provesLoss(end)) throw damaged(content.path, end, BAD_BEFORE);
  return end;
}

function gap(directory: string, number: number): Error {
  return missing(join(directory, segmentName(number)), "this segment is missing");
}

/** The list may have holes until what was moved to later segments has been read. */
interface Kept {
  prevIndex: LogIndex;
  readonly list: Entry[];
}

class Replay {
  readonly table: Table = new Table();
  readonly #kept = new Map<GroupId, Kept>();

  get entries(): Map<GroupId, readonly Entry[]> {
    return new Map(Array.from(this.#kept, ([group, { list }]) => [group, list]));
  }

  /** Returns the number of the frame that comes next. */
  read(content: SegmentContent, { number, end }: Place, expected: number | undefined): number {
    let next = expected;
    let at = HEADER_BYTES;
    for (const frame of content.frames(end)) {
      next ??= frame.number;
      if (frame.number !== next) {
        throw damaged(content.path, at, `frame ${frame.number} where ${next} was expected`);
      }
      for (const record of content.records(frame)) this.#apply(record, number, content.path, at);
      next++;
      at = frame.end;
    }
    if (at !== end || next === undefined) throw damaged(content.path, at, BAD_INSIDE);
    return next;
  }

  #apply(record: LogRecord, segment: number, path: string, at: number): void {
    try {
      this.table.apply(record, segment);
    } catch (cause) {
      throw damaged(path, at, "a record that does not fit to those before it", cause);
    }
    if (record.type === "identity" && record.format > CLUSTER_FORMAT) {
      throw newer(path, at, record.format, CLUSTER_FORMAT);
    }
    this.#keep(record);
  }

  #keep(record: LogRecord): void {
    if (record.type === "write") {
      const { group, snapshot, entries } = record.write;
      if (snapshot !== undefined) this.#kept.delete(group);
      this.#put(group, entries, true);
    } else if (record.type === "moved") {
      this.#put(record.group, record.entries, false);
    } else if (record.type === "compacted") {
      this.#compact(record.group);
    } else if (record.type === "removed") {
      this.#kept.delete(record.group);
    }
  }

  /** Entries are copied: a view would keep the whole segment in memory. */
  #put(group: GroupId, entries: readonly Entry[], replace: boolean): void {
    const first = entries[0]?.index;
    if (first === undefined) return;
    let kept = this.#kept.get(group);
    if (kept === undefined) {
      kept = { prevIndex: this.table.row(group).runs.prevIndex, list: [] };
      this.#kept.set(group, kept);
    }
    const { list } = kept;
    let at = first - kept.prevIndex - 1;
    if (replace && list.length > at) list.length = at;
    for (const { index, term, kind, data } of entries) {
      list[at++] = { index, term, kind, data: Buffer.from(data) };
    }
  }

  #compact(group: GroupId): void {
    const kept = this.#kept.get(group);
    if (kept === undefined) return;
    const { prevIndex } = this.table.row(group).runs;
    kept.list.splice(0, prevIndex - kept.prevIndex);
    kept.prevIndex = prevIndex;
  }

  finish(directory: string, chain: readonly Place[]): void {
    const first = chain[0] as Place;
    if (this.table.disk === 0) {
      throw damaged(join(directory, segmentName(first.number)), HEADER_BYTES, "no identity");
    }
    if (first.number > Math.max(this.table.oldest, 1)) throw gap(directory, first.number - 1);
    for (const { group, runs } of this.table.groups.values()) {
      const hole = runs.runs.find(({ segment }) => segment === NOWHERE);
      if (hole !== undefined) throw lost(directory, group, hole.from);
    }
  }
}

function lost(directory: string, group: GroupId, index: LogIndex): Error {
  return missing(directory, `entry ${index} of group ${group} is in no segment`);
}
