// What the measurements here run: one process's session service in a group without another voter, over
// this disk and in real time.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock, systemTimers } from "@canopy/base";
import type { RaftHost } from "@canopy/raft";
import {
  EXPIRY_NEVER,
  type Opened,
  type OpenRequest,
  type ReleaseRequest,
  type RouteSink,
} from "@canopy/session";
import { Alone, createSessionService, type SessionService } from "../src/index.ts";
import { RaftNode } from "../test/raft-node.ts";

export const SHARDS = 16;
export const GROUP = 1;

/** Takes everything at once. */
export const stores: RouteSink = {
  heads: () => Promise.resolve(Array.from({ length: SHARDS }, () => 2 ** 32)),
  routes: () => Promise.resolve(),
  publishWill: () => Promise.resolve(),
  sessionsEnded: () => Promise.resolve(),
};

export interface RunningOptions {
  readonly directory: string;
  /** Bytes; without it none is taken. */
  readonly snapshotEvery?: number;
  readonly store?: RouteSink;
  /** What the service sees of the host. */
  readonly seen?: (host: RaftHost) => Pick<RaftHost, "open" | "close">;
}

export interface Running {
  readonly node: RaftNode;
  readonly service: SessionService;
  readonly alone: Alone;
  readonly stop: () => Promise<void>;
}

export async function start(options: RunningOptions): Promise<Running> {
  const { directory, snapshotEvery, store = stores, seen = (host) => host } = options;
  const node = new RaftNode({
    directory,
    raftTime: { ...systemClock, ...systemTimers },
    durability: "sync",
    segmentBytes: 16 << 20,
    ...(snapshotEvery !== undefined && { snapshotEvery }),
  });
  await node.start();
  const alone = new Alone(SHARDS);
  const service = createSessionService({
    host: seen(node.host),
    group: GROUP,
    bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
    shards: SHARDS,
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    cluster: alone.view,
    store: () => store,
  });
  await service.start();
  alone.begin(service.version);
  const stop = async () => {
    await service.stop();
    await node.stop();
  };
  return { node, service, alone, stop };
}

/** A new folder, below the one that the command line names; it goes when the process ends. */
export function folder(): string {
  const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), "canopy-bench-"));
  process.once("exit", () => rmSync(root, { recursive: true, force: true }));
  return root;
}

export function openRequest(
  gateway: number,
  i: number,
  fields: Partial<OpenRequest> = {},
): OpenRequest {
  const nobody = { will: undefined, user: undefined };
  const request = { clientId: `client-${i}`, gateway, requestId: 0, cleanStart: false, ...nobody };
  return { ...request, expiry: EXPIRY_NEVER, ...fields };
}

/** Nothing but that it is over. */
export function releaseOf({ incarnation, epoch }: Opened): ReleaseRequest {
  const end = { will: "drop", expiry: undefined, unfinished: [] } as const;
  return { incarnation, epoch, ...progressOf([]), ...end };
}

export function progressOf(cursors: readonly number[]) {
  return { cursors, done: [], drained: [], retainedAfter: [], retainedSent: [] };
}
