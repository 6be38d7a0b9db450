/** Brings a state machine to where the files end, and tidies up what a crash has left. */
import { join } from "node:path";
import { DecodeError } from "@canopy/base";
import { LogError } from "./damage.ts";
import type { Disk } from "./disk.ts";
import type { StateMachine } from "./port.ts";
import {
  isEmptySegment,
  readSegment,
  Segment,
  type SegmentContent,
  segmentIndex,
} from "./segment.ts";
import { readSnapshot, snapshotIndex } from "./snapshot-file.ts";

export interface Recovered {
  /** To be written on. */
  readonly segment: Segment;
  /** Index of the next command. */
  readonly next: number;
  /** Bytes of the log that are in no snapshot. */
  readonly bytes: number;
  readonly commands: number;
}

interface Named {
  readonly path: string;
  readonly index: number;
}

/** `apply` gets every command behind the snapshot, in order. */
export async function recover(
  disk: Disk,
  directory: string,
  machine: StateMachine,
  apply: (command: Uint8Array) => void,
): Promise<Recovered> {
  await disk.makeDirectory(directory);
  const names = await disk.list(directory);
  for (const name of names) {
    if (name.endsWith(".tmp")) await disk.remove(join(directory, name));
  }
  const snapshots = named(directory, names, snapshotIndex);
  const snapshot = snapshots.at(-1);
  if (snapshot !== undefined) await load(disk, snapshot.path, machine);
  const segments = named(directory, names, segmentIndex);
  const first = (snapshot?.index ?? 0) + 1;
  const needed = await dropCovered(disk, segments, first);
  for (const old of snapshots.slice(0, -1)) await disk.remove(old.path);
  if (needed.length === 0 && snapshot === undefined) {
    const segment = await Segment.create(disk, directory, first);
    return { segment, next: first, bytes: 0, commands: 0 };
  }
  return replay(disk, directory, needed, first, apply);
}

function named(
  directory: string,
  names: readonly string[],
  indexOf: (name: string) => number | undefined,
): Named[] {
  const found: Named[] = [];
  for (const name of names) {
    const index = indexOf(name);
    if (index !== undefined) found.push({ path: join(directory, name), index });
  }
  return found.sort((a, b) => a.index - b.index);
}

async function load(disk: Disk, path: string, machine: StateMachine): Promise<void> {
  const sink = machine.restore();
  try {
    await readSnapshot(disk, path, (chunk) => sink.push(chunk));
    sink.finish();
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new LogError("damaged", path, 0, "a snapshot that can't be read", { cause });
  }
}

/** A snapshot starts a segment, so older ones are wholly in it. */
async function dropCovered(
  disk: Disk,
  segments: readonly Named[],
  first: number,
): Promise<readonly Named[]> {
  for (const segment of segments) {
    if (segment.index < first) await disk.remove(segment.path);
  }
  return segments.filter((segment) => segment.index >= first);
}

async function replay(
  disk: Disk,
  directory: string,
  segments: readonly Named[],
  first: number,
  apply: (command: Uint8Array) => void,
): Promise<Recovered> {
  const filled: Named[] = [];
  const empty: Named[] = [];
  for (const segment of segments) {
    ((await isEmptySegment(disk, segment.path)) ? empty : filled).push(segment);
  }
  let next = first;
  let bytes = 0;
  let last: (SegmentContent & Named) | undefined;
  for (const [i, named] of filled.entries()) {
    if (named.index !== next) throw missing(directory, next);
    const content = await readSegment(disk, named.path, i === filled.length - 1, apply);
    requireIndex(named, content);
    next = content.next;
    bytes += content.end;
    last = { ...content, ...named };
  }
  const { path, header, end } = (await pickEmpty(disk, directory, empty, next)) ?? last ?? {};
  if (path === undefined || header === undefined || end === undefined) {
    throw missing(directory, next);
  }
  const segment = await Segment.reopen(disk, path, header, end);
  return { segment, next, bytes, commands: next - first };
}

/**
 * A file is begun when everything before it is on disk, so one that begins behind the end proves
 * a loss. One that begins before the end was given up while it was made: it goes.
 */
async function pickEmpty(
  disk: Disk,
  directory: string,
  empty: readonly Named[],
  next: number,
): Promise<(SegmentContent & Named) | undefined> {
  let picked: (SegmentContent & Named) | undefined;
  for (const named of empty) {
    if (named.index > next) throw missing(directory, next);
    if (named.index === next) {
      const content = await readSegment(disk, named.path, true, () => {});
      requireIndex(named, content);
      picked = { ...content, ...named };
    } else {
      await disk.remove(named.path);
    }
  }
  return picked;
}

function requireIndex({ path, index }: Named, { header }: SegmentContent): void {
  if (header.index === index) return;
  throw new LogError("damaged", path, 0, `begins with command ${header.index}`);
}

function missing(directory: string, next: number): LogError {
  return new LogError("missing", directory, 0, `what begins with command ${next} is missing`);
}
