import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { seededRandom, silentLogger } from "@canopy/base";
import { testScope } from "@canopy/testkit";
import {
  type Configuration,
  type Entry,
  EntryKind,
  type GroupWrite,
  type HardState,
  openStorage,
  type RaftStorage,
  type RecoveredLog,
  raftCommand,
  type SnapshotMeta,
  type StorageOptions,
} from "../../src/index.ts";

export const SMALL_SEGMENT = 4096;

export const configuration: Configuration = {
  voters: [1, 2, 3],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  highest: 3,
  nodes: new Map([
    [1, { name: "a", disk: 71 }],
    [2, { name: "b", disk: 72 }],
    [3, { name: "c", disk: 73 }],
  ]),
};

export function meta(index: number, term: number): SnapshotMeta {
  return { index, term, configuration };
}

export const BEGINNING: SnapshotMeta = meta(0, 0);

export function entry(index: number, term: number, text = `entry ${index} of ${term}`): Entry {
  return { index, term, kind: EntryKind.Command, data: Buffer.from(text) };
}

export function entries(first: number, last: number, term: number, text?: string): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => entry(first + i, term, text));
}

export interface WriteParts {
  readonly group?: number;
  readonly hardState?: HardState;
  readonly entries?: readonly Entry[];
  readonly snapshot?: SnapshotMeta;
}

export function write(storage: RaftStorage, parts: WriteParts): Promise<void> {
  return new Promise((resolve) => storage.write(groupWrite(parts), resolve));
}

export function groupWrite(parts: WriteParts): GroupWrite {
  return {
    group: parts.group ?? 0,
    hardState: parts.hardState,
    entries: parts.entries ?? [],
    snapshot: parts.snapshot,
  };
}

/** Started; stopped at the end of the test. */
export async function open(
  directory: string,
  options: Partial<StorageOptions> = {},
): Promise<RaftStorage> {
  const storage = openStorage({
    directory,
    logger: silentLogger,
    random: seededRandom(Math.floor(Math.random() * 2 ** 50)),
    segmentBytes: SMALL_SEGMENT,
    ...options,
  });
  let stopped = false;
  const stop = storage.stop.bind(storage);
  storage.stop = async () => {
    if (stopped) return;
    stopped = true;
    await stop();
  };
  testScope().defer(() => storage.stop());
  await storage.start();
  return storage;
}

/** `canopy raft` with these arguments. */
export async function run(
  ...argv: string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const ended = raftCommand(argv, { stdout, stderr }).finally(() => {
    stdout.end();
    stderr.end();
  });
  const [code, out, err] = await Promise.all([ended, text(stdout), text(stderr)]);
  return { code, out, err };
}

/** Index, term and text of each entry, as one string. */
export function textOf(log: RecoveredLog): string[] {
  return log.entries.map(
    ({ index, term, data }) => `${index}/${term} ${Buffer.from(data).toString()}`,
  );
}
