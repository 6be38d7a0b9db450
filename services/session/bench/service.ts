// What one process's session service does on this disk, with a group that has no other voter: a storm of
// connections (durable, transient, and as takeovers), progress, and the recovery of all that:
//   node --conditions=source services/session/bench/service.ts [directory]
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock, systemTimers } from "@canopy/base";
import { EXPIRY_NEVER, type Opened, type ReleaseRequest, type RouteSink } from "@canopy/session";
import { Alone, createSessionService, type SessionService } from "../src/index.ts";
import { RaftNode } from "../test/raft-node.ts";

const SHARDS = 16;
const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), "canopy-bench-"));

const stores: RouteSink = {
  heads: () => Promise.resolve(Array.from({ length: SHARDS }, () => 2 ** 32)),
  routes: () => Promise.resolve(),
  publishWill: () => Promise.resolve(),
  sessionsEnded: () => Promise.resolve(),
};

interface Running {
  readonly gateway: number;
  readonly node: RaftNode;
  readonly service: SessionService;
}

async function start(name: string): Promise<Running> {
  const node = new RaftNode({
    directory: join(root, name),
    raftTime: { ...systemClock, ...systemTimers },
    durability: "sync",
    segmentBytes: 16 << 20,
  });
  await node.start();
  const alone = new Alone(SHARDS);
  const service = createSessionService({
    host: node.host,
    group: 1,
    bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
    shards: SHARDS,
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    cluster: alone.view,
    store: () => stores,
  });
  await service.start();
  alone.begin(service.version);
  return { node, service, gateway: alone.gateway };
}

async function stop({ node, service }: Running): Promise<void> {
  await service.stop();
  await node.stop();
}

function releaseOf({ incarnation, epoch }: Opened): ReleaseRequest {
  return {
    incarnation,
    epoch,
    cursors: [],
    done: [],
    drained: [],
    retainedAfter: [],
    retainedSent: [],
    will: "drop",
    expiry: undefined,
    unfinished: [],
  };
}

/** Runs `work` for every number, so many at a time; prints the rate and the slowest one percent. */
async function rate(
  what: string,
  count: number,
  width: number,
  work: (i: number) => Promise<unknown>,
): Promise<void> {
  const times: number[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < count; i = next++) {
      const start = performance.now();
      await work(i);
      times.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: width }, worker));
  const seconds = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
  console.log(
    `${what}: ${Math.round(count / seconds)}/s, ${width} at a time, p99 ${p99.toFixed(1)} ms`,
  );
}

function diskLatency(): void {
  const path = join(root, "probe");
  const file = openSync(path, "w");
  const block = Buffer.alloc(512);
  const start = performance.now();
  for (let i = 0; i < 200; i++) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  console.log(`the disk: ${((performance.now() - start) / 200).toFixed(3)} ms per fdatasync`);
  closeSync(file);
}

async function storm(): Promise<void> {
  const running = await start("storm");
  const { service, gateway } = running;
  const { sessions } = service;
  const held = new Map<number, Opened>();
  await sessions.attach(gateway, {
    stop: (incarnation) => {
      const opened = held.get(incarnation);
      if (opened) void sessions.release(releaseOf(opened));
    },
  });
  const open = (i: number, expiry: number) =>
    sessions.open({
      clientId: `client-${i}`,
      gateway,
      requestId: 0,
      cleanStart: false,
      expiry,
      will: undefined,
      user: undefined,
    });
  const durable = async (i: number) => {
    const opened = await open(i, EXPIRY_NEVER);
    held.set(opened.incarnation, opened);
  };
  await rate("durable connections", 100_000, 5_000, durable);
  await rate("takeovers", 100_000, 5_000, durable);
  await rate("subscribes of a filter each", 100_000, 5_000, (i) => {
    const { incarnation, epoch } = held.get(i + 1) as Opened;
    return sessions.subscribe({ incarnation, epoch, subscriptions: [subscription(i)] });
  });
  await rate("transient connections and their ends", 100_000, 5_000, async (i) =>
    sessions.release(releaseOf(await open(1_000_000 + i, 0))),
  );
  const progress = ({ incarnation, epoch }: Opened, i: number) => {
    const cursors = [i % SHARDS, 2 ** 32 + i];
    return {
      incarnation,
      epoch,
      cursors,
      done: [],
      drained: [],
      retainedAfter: [],
      retainedSent: [],
    };
  };
  const flushed = Array.from({ length: 1_000 }, (_, i) => held.get(i + 1) as Opened);
  await rate("flushes of the progress of 1,000 sessions", 5_000, 4, (i) =>
    sessions.progress(flushed.map((opened) => progress(opened, i))),
  );
  await rate("flushes of the progress of one session", 2_000, 1, (i) =>
    sessions.progress([progress(flushed[0] as Opened, 10_000 + i)]),
  );
  await stop(running);
}

function subscription(i: number) {
  return {
    filter: `devices/${i}/commands`,
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: 0,
    sendRetained: false,
  } as const;
}

async function recovery(): Promise<void> {
  const began = performance.now();
  const running = await start("storm");
  const ms = Math.round(performance.now() - began);
  console.log(`recovery of all of that: ${ms} ms`, running.service.counts);
  await stop(running);
}

try {
  diskLatency();
  await storm();
  await recovery();
} finally {
  rmSync(root, { recursive: true, force: true });
}
