/** What is in a data folder, damaged or not. Reads only. */
import { join } from "node:path";
import type { RecoveredLog } from "../core/port.ts";
import type { SnapshotMeta } from "../core/types.ts";
import { misnamed } from "../storage/damage.ts";
import type { Disk, DiskFile } from "../storage/disk.ts";
import type { Frame } from "../storage/frame.ts";
import { HEADER_BYTES } from "../storage/header.ts";
import type { Founding, GroupId } from "../storage/port.ts";
import type { GroupState, LogRecord } from "../storage/records.ts";
import { noLog, type RecoveredWal, recoverWal, segmentNumbers } from "../storage/recover.ts";
import { restoreGroup } from "../storage/restore.ts";
import type { Run } from "../storage/runs.ts";
import { SegmentContent } from "../storage/scan.ts";
import { segmentName } from "../storage/segment.ts";
import { parseSnapshotName, readChunks, readHead } from "../storage/snapshot-file.ts";
import { Table } from "../storage/table.ts";
import { type NewestChange, newestChange } from "./survivors.ts";

export interface FrameReport {
  readonly offset: number;
  readonly bytes: number;
  readonly number: number;
  /** One line per record. */
  readonly records: readonly string[];
}

export interface SegmentReport {
  readonly file: string;
  /** Of the file, and up to where there are sound frames without a gap. */
  readonly bytes: number;
  readonly content: number;
  readonly frames: readonly FrameReport[];
  readonly damage: string | undefined;
}

export interface GroupReport extends GroupState {
  /** Where the terms of the log begin, and in which segments the entries are. */
  readonly runs: readonly Run[];
  /** What the log changes of the configuration that it began with, or of the newest snapshot's. */
  readonly change: NewestChange | undefined;
}

export interface FoundingReport extends Founding {
  readonly group: GroupId;
}

export interface SnapshotReport {
  readonly file: string;
  readonly group: GroupId;
  readonly bytes: number;
  readonly chunks: number;
  /** Undefined where the head is damaged, or of another one than the name says. */
  readonly meta: SnapshotMeta | undefined;
  readonly damage: string | undefined;
}

export interface FolderReport {
  readonly directory: string;
  readonly disk: number;
  readonly format: number;
  /** Why a start would be refused; the groups are what can be read in spite of it. */
  readonly refused: string | undefined;
  readonly segments: readonly SegmentReport[];
  readonly groups: readonly GroupReport[];
  readonly foundings: readonly FoundingReport[];
  readonly snapshots: readonly SnapshotReport[];
}

/** Nothing was found that is damaged, and a start would be refused for nothing. */
export function isSound({ refused, segments, snapshots }: FolderReport): boolean {
  return refused === undefined && ![...segments, ...snapshots].some(({ damage }) => damage);
}

/** Throws only if the directory can't be listed. */
export async function inspectFolder(disk: Disk, directory: string): Promise<FolderReport> {
  const names = (await disk.list(directory)).toSorted();
  const guess = new Table();
  const segments: SegmentReport[] = [];
  for (const number of segmentNumbers(names)) {
    segments.push(await inspectSegment(disk, directory, number, guess));
  }
  const snapshots: SnapshotReport[] = [];
  for (const name of names) {
    if (parseSnapshotName(name)) snapshots.push(await inspectSnapshot(disk, directory, name));
  }
  const { refused, recovered, changes } = await recovery(disk, directory, snapshots);
  const table = recovered?.table ?? guess;
  const groups = Array.from(table.groups.values(), ({ state, runs }) => {
    return { ...state, runs: runs.runs, change: changes.get(state.group) };
  });
  const foundings = Array.from(table.foundings, ([group, founding]) => ({ group, ...founding }));
  return {
    directory,
    disk: table.disk,
    format: table.format,
    refused,
    segments,
    groups,
    foundings,
    snapshots,
  };
}

interface Recovery {
  readonly refused: string | undefined;
  readonly recovered: RecoveredWal | undefined;
  readonly changes: ReadonlyMap<GroupId, NewestChange>;
}

/** What a start would do, but for changing anything. */
async function recovery(
  disk: Disk,
  directory: string,
  snapshots: readonly SnapshotReport[],
): Promise<Recovery> {
  let recovered: RecoveredWal | undefined;
  const changes = new Map<GroupId, NewestChange>();
  try {
    recovered = await recoverWal(disk, directory);
    const nameless = snapshots.find(({ meta }) => meta === undefined);
    if (nameless !== undefined) return { refused: nameless.damage, recovered, changes };
    if (recovered === undefined && snapshots.length > 0) throw noLog(directory);
    const entries = recovered?.entries ?? new Map();
    for (const row of recovered?.table.groups.values() ?? []) {
      const metas = metasOf(snapshots, row.group);
      const change = changeIn(restoreGroup(directory, row, metas, entries).log);
      if (change !== undefined) changes.set(row.group, change);
    }
    return { refused: undefined, recovered, changes };
  } catch (error) {
    return { refused: messageOf(error), recovered, changes };
  }
}

/** A change that can't be read, as of a later version, stops its group and not the start. */
function changeIn(log: RecoveredLog): NewestChange | undefined {
  try {
    return newestChange(log);
  } catch {
    return undefined;
  }
}

/** Ascending. */
function metasOf(snapshots: readonly SnapshotReport[], of: GroupId): SnapshotMeta[] {
  const metas = snapshots.map(({ group, meta }) => (group === of ? meta : undefined));
  return metas.filter((meta) => meta !== undefined).sort((a, b) => a.index - b.index);
}

async function inspectSegment(
  disk: Disk,
  directory: string,
  number: number,
  guess: Table,
): Promise<SegmentReport> {
  const file = segmentName(number);
  const frames: FrameReport[] = [];
  let bytes = 0;
  let end = HEADER_BYTES;
  let damage: string | undefined;
  try {
    const content = await SegmentContent.read(disk, directory, number);
    bytes = content.bytes.length;
    for (const frame of content.frames()) {
      frames.push(inspectFrame(content, frame, number, guess));
      end = frame.end;
    }
    const later = content.provesLoss(end);
    if (later !== undefined) {
      damage = `bad frame at ${end}, and a good one behind it at ${later.start}`;
      for (const frame of content.frames(bytes, later.start)) {
        frames.push(inspectFrame(content, frame, number, guess));
      }
    }
  } catch (error) {
    damage = messageOf(error);
  }
  return { file, bytes, content: end, frames, damage };
}

function inspectFrame(
  content: SegmentContent,
  frame: Frame,
  segment: number,
  guess: Table,
): FrameReport {
  const records: string[] = [];
  for (const record of content.records(frame)) {
    records.push(describe(record));
    try {
      guess.apply(record, segment);
    } catch {
      // What it stands on is damaged; the next head of a segment says again where the group stands.
    }
  }
  const { start, end, number } = frame;
  return { offset: start, bytes: end - start, number, records };
}

function describe(record: LogRecord): string {
  switch (record.type) {
    case "write": {
      const { group, hardState, snapshot, entries } = record.write;
      const parts = [`group ${group}`];
      if (hardState) {
        parts.push(`term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`);
      }
      if (snapshot) parts.push(`snapshot ${snapshot.index}/${snapshot.term}`);
      if (entries.length > 0) parts.push(rangeOf(entries));
      return `write: ${parts.join(", ")}`;
    }
    case "moved":
      return `moved: group ${record.group}, ${rangeOf(record.entries)}`;
    case "state": {
      const { group, replica, prevIndex, last } = record.state;
      return `state: group ${group}, replica ${replica}, entries ${prevIndex + 1} to ${last}`;
    }
    case "created":
      return `created: group ${record.group}, replica ${record.replica}`;
    case "removed":
      return `removed: group ${record.group}`;
    case "founding": {
      const { replica, members } = record.founding;
      return `founding: group ${record.group}, replica ${replica} has met ${[...members.keys()].join(",")}`;
    }
    case "givenUp":
      return `given up: group ${record.group}, replicas up to ${record.replica}`;
    case "compacted":
      return `compacted: group ${record.group} up to ${record.index}/${record.term}`;
    case "oldest":
      return `oldest: segment ${record.segment}`;
    case "identity":
      return `identity: disk ${record.disk}, cluster format ${record.format}`;
    default:
      return "unknown";
  }
}

function rangeOf(entries: readonly { readonly index: number; readonly term: number }[]): string {
  const [first, last] = [entries[0], entries.at(-1)];
  return `entries ${first?.index}/${first?.term} to ${last?.index}/${last?.term}`;
}

async function inspectSnapshot(
  disk: Disk,
  directory: string,
  name: string,
): Promise<SnapshotReport> {
  const path = join(directory, name);
  const { group, index } = parseSnapshotName(name) ?? { group: -1, index: -1 };
  let file: DiskFile | undefined;
  let meta: SnapshotMeta | undefined;
  let bytes = 0;
  let chunks = 0;
  let damage: string | undefined;
  try {
    file = await disk.open(path);
    bytes = await file.size();
    const head = await readHead(file, path);
    if (head.meta.index !== index) throw misnamed(path, head.meta.index);
    ({ meta } = head);
    for await (const _ of readChunks(file, path, head)) chunks++;
  } catch (error) {
    damage = messageOf(error);
  } finally {
    await file?.close();
  }
  return { file: name, group, bytes, chunks, meta, damage };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
