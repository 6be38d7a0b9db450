// How long a large state holds up its group, and how long it takes to be back: 1,000,000 sessions with a
// subscription each are made through the service and the log, recovered from the log alone, written
// to a snapshot while commands go on, and recovered from that.
//   node --max-semi-space-size=16 --conditions=source services/session/bench/snapshot.ts [directory] [sessions]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock, systemTimers } from "@canopy/base";
import type { RaftHost, StateMachine } from "@canopy/raft";
import { EXPIRY_NEVER, type Opened, type RouteSink } from "@canopy/session";
import { Alone, createSessionService, type SessionService } from "../src/index.ts";
import { RaftNode } from "../test/raft-node.ts";
import { Pauses } from "./pauses.ts";

const SHARDS = 16;
const GROUP = 0;
const SESSIONS = Number(process.argv[3] ?? 1_000_000);
const TOGETHER = 2_000;
/** Commands that are on their way at any time while pauses are measured. */
const LOAD = 64;
/** So much of the log is written after a start before the snapshot begins. */
const BEFORE_SNAPSHOT = 4 << 20;
const NEVER = 2 ** 45;
const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), "canopy-bench-"));

const stores: RouteSink = {
  heads: () => Promise.resolve(Array.from({ length: SHARDS }, () => 2 ** 32)),
  routes: () => Promise.resolve(),
  publishWill: () => Promise.resolve(),
  sessionsEnded: () => Promise.resolve(),
};

interface Life {
  readonly node: RaftNode;
  readonly service: SessionService;
  gateway: number;
  /** Of commands that were applied. */
  commands: number;
  bytes: number;
  isTakingSnapshot: boolean;
  /** When everything in the log was applied and the group led. */
  ledAt: number;
}

async function start(snapshotEvery: number): Promise<Life> {
  const node = new RaftNode({
    directory: join(root, "raft"),
    raftTime: { ...systemClock, ...systemTimers },
    durability: "sync",
    segmentBytes: 16 << 20,
    snapshotEvery,
  });
  await node.start();
  const alone = new Alone(SHARDS);
  const service = createSessionService({
    host: {
      open: ({ listener, ...options }) =>
        node.host.open({
          ...options,
          machine: watched(options.machine),
          listener: {
            onLeader: (leader, name) => listener?.onLeader(leader, name),
            onLeading: (leading, term) => {
              life.ledAt = performance.now();
              listener?.onLeading(leading, term);
            },
            onEnded: (reason) => listener?.onEnded(reason),
          },
        }),
      close: (group) => node.host.close(group),
    } satisfies Pick<RaftHost, "open" | "close">,
    group: GROUP,
    bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
    shards: SHARDS,
    clock: systemClock,
    timers: systemTimers,
    logger: silentLogger,
    cluster: alone.view,
    store: () => stores,
  });
  const counts = { commands: 0, bytes: 0, ledAt: 0, gateway: 0 };
  const life: Life = { node, service, ...counts, isTakingSnapshot: false };
  /** Counts what the group does with its state machine. */
  function watched(machine: StateMachine): StateMachine {
    return {
      apply: (command, index) => {
        life.commands++;
        life.bytes += command.length + 1;
        return machine.apply(command, index);
      },
      applied: () => machine.applied(),
      snapshot: () => {
        life.isTakingSnapshot = true;
        return machine.snapshot();
      },
      restore: () => machine.restore(),
    };
  }
  await service.start();
  alone.begin(service.version);
  life.gateway = alone.gateway;
  return life;
}

async function stop({ service, node }: Life): Promise<void> {
  await service.stop();
  await node.stop();
}

async function open({ sessions }: SessionService, gateway: number, i: number): Promise<Opened> {
  const clientId = `client-${i}`;
  const nobody = { will: undefined, user: undefined };
  return sessions.open({
    clientId,
    gateway,
    requestId: 0,
    cleanStart: false,
    expiry: EXPIRY_NEVER,
    ...nobody,
  });
}

async function build({ service, gateway }: Life): Promise<void> {
  await service.sessions.attach(gateway, { stop: () => {} });
  for (let from = 0; from < SESSIONS; from += TOGETHER) {
    const several = Array.from({ length: Math.min(TOGETHER, SESSIONS - from) }, async (_, i) => {
      const { incarnation, epoch } = await open(service, gateway, from + i);
      const options = {
        qos: 1,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
      } as const;
      const filter = `devices/${from + i}/commands`;
      const subscription = { ...options, filter, subscriptionIdentifier: 0, sendRetained: false };
      await service.sessions.subscribe({ incarnation, epoch, subscriptions: [subscription] });
    });
    await Promise.all(several);
  }
}

/** Sessions come back, tell of their progress and go, until it is enough. Returns how many commands. */
async function load({ service, gateway }: Life, isEnough: () => boolean): Promise<number> {
  await service.sessions.attach(gateway, { stop: () => {} });
  let next = 0;
  let commands = 0;
  const worker = async () => {
    while (!isEnough()) {
      // Far from each other: the snapshot has some of them already, and of others it has not.
      const { incarnation, epoch } = await open(service, gateway, (next++ * 7_919) % SESSIONS);
      const nothing = { done: [], drained: [], retainedAfter: [], retainedSent: [] };
      for (let i = 1; i <= 4; i++) {
        const cursors = [i, 2 ** 33 + next];
        await service.sessions.progress([{ incarnation, epoch, cursors, ...nothing }]);
      }
      const rest = { will: "drop", expiry: undefined, unfinished: [] } as const;
      await service.sessions.release({ incarnation, epoch, cursors: [], ...nothing, ...rest });
      commands += 6;
    }
  };
  await Promise.all(Array.from({ length: LOAD }, worker));
  return commands;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(2)} s`;
}

function memory(): string {
  return `${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`;
}

async function measureBuild(): Promise<number> {
  const life = await start(NEVER);
  const pauses = new Pauses();
  const began = performance.now();
  await build(life);
  const { commands, bytes } = life;
  console.log(`${SESSIONS} sessions made in ${seconds(began)}, ${memory()}: ${pauses.end()}`);
  console.log(`the log: ${commands} commands, ${(bytes / 1e6).toFixed(0)} MB`);
  await stop(life);
  return bytes;
}

async function measureRecovery(what: string, snapshotEvery: number): Promise<Life> {
  const pauses = new Pauses();
  const began = performance.now();
  const life = await start(snapshotEvery);
  const { commands, ledAt } = life;
  const led = ((ledAt - began) / 1000).toFixed(2);
  console.log(`back from ${what} (${commands} commands): leads after ${led} s`);
  console.log(`what was connected is released after ${seconds(began)}; ${pauses.end()}`);
  console.log(life.service.counts);
  return life;
}

async function measureSnapshot(life: Life): Promise<void> {
  const { snapshots } = life.node.storage;
  const measure = async (what: string, isEnough: () => boolean) => {
    const pauses = new Pauses();
    const began = performance.now();
    const commands = await load(life, isEnough);
    console.log(`${what}: ${seconds(began)}, ${commands} commands, ${memory()}: ${pauses.end()}`);
  };
  await measure("without a snapshot", () => life.isTakingSnapshot);
  const before = snapshots.newest(GROUP)?.index;
  await measure("while one is taken", () => snapshots.newest(GROUP)?.index !== before);
}

try {
  const bytes = await measureBuild();
  // What is recovered counts as grown.
  const life = await measureRecovery("the log", bytes + BEFORE_SNAPSHOT);
  await measureSnapshot(life);
  await stop(life);
  await stop(await measureRecovery("the snapshot", NEVER));
} finally {
  rmSync(root, { recursive: true, force: true });
}
