// How long a large state holds up its group, and how long it takes to be back: 1,000,000 sessions with a
// subscription each are made through the service and the log, recovered from the log alone, written
// to a snapshot while commands go on, and recovered from that.
//   node --max-semi-space-size=16 --conditions=source services/session/bench/snapshot.ts [directory] [sessions]
import { setTimeout as sleep } from "node:timers/promises";
import type { RaftHost, StateMachine } from "@canopy/raft";
import { Pauses } from "./pauses.ts";
import {
  folder,
  GROUP,
  openRequest,
  progressOf,
  type Running,
  releaseOf,
  start,
} from "./running.ts";

const SESSIONS = Number(process.argv[3] ?? 1_000_000);
const TOGETHER = 2_000;
/** Commands that are on their way at any time while pauses are measured. */
const LOAD = 64;
/** So much of the log is written after a start before the snapshot begins. */
const BEFORE_SNAPSHOT = 4 << 20;
const NEVER = 2 ** 45;

/** What the group does with its state machine. */
interface Seen {
  /** Of commands that were applied. */
  commands: number;
  bytes: number;
  isTakingSnapshot: boolean;
  /** When everything in the log was applied and the group led. */
  ledAt: number;
}

interface Life extends Running {
  readonly seen: Seen;
}

async function begin(directory: string, snapshotEvery: number): Promise<Life> {
  const seen = { commands: 0, bytes: 0, ledAt: 0, isTakingSnapshot: false };
  const watch = (host: RaftHost) => watched(host, seen);
  return { ...(await start({ directory, snapshotEvery, seen: watch })), seen };
}

function watched(host: RaftHost, seen: Seen): Pick<RaftHost, "open" | "close"> {
  return {
    open: ({ listener, machine, ...options }) =>
      host.open({
        ...options,
        machine: counted(machine, seen),
        listener: {
          onLeader: (leader, name) => listener?.onLeader(leader, name),
          onLeading: (leading, term) => {
            seen.ledAt = performance.now();
            listener?.onLeading(leading, term);
          },
          onEnded: (reason) => listener?.onEnded(reason),
        },
      }),
    close: (group) => host.close(group),
  };
}

function counted(machine: StateMachine, seen: Seen): StateMachine {
  return {
    apply: (command, index) => {
      seen.commands++;
      seen.bytes += command.length + 1;
      return machine.apply(command, index);
    },
    applied: () => machine.applied(),
    snapshot: () => {
      seen.isTakingSnapshot = true;
      return machine.snapshot();
    },
    restore: () => machine.restore(),
  };
}

async function build({ service, alone: { gateway } }: Life): Promise<void> {
  await service.sessions.attach(gateway, { stop: () => {} });
  for (let from = 0; from < SESSIONS; from += TOGETHER) {
    const several = Array.from({ length: Math.min(TOGETHER, SESSIONS - from) }, async (_, i) => {
      const { incarnation, epoch } = await service.sessions.open(openRequest(gateway, from + i));
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
async function load(
  { service: { sessions }, alone: { gateway } }: Life,
  isEnough: () => boolean,
): Promise<number> {
  await sessions.attach(gateway, { stop: () => {} });
  let next = 0;
  let commands = 0;
  const worker = async () => {
    while (!isEnough()) {
      // Far from each other: the snapshot has some of them already, and of others it has not.
      const opened = await sessions.open(openRequest(gateway, (next++ * 7_919) % SESSIONS));
      const { incarnation, epoch } = opened;
      for (let i = 1; i <= 4; i++) {
        await sessions.progress([{ incarnation, epoch, ...progressOf([i, 2 ** 33 + next]) }]);
      }
      await sessions.release(releaseOf(opened));
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

async function measureBuild(directory: string): Promise<number> {
  const life = await begin(directory, NEVER);
  const pauses = new Pauses();
  const began = performance.now();
  await build(life);
  const { commands, bytes } = life.seen;
  console.log(`${SESSIONS} sessions made in ${seconds(began)}, ${memory()}: ${pauses.end()}`);
  console.log(`the log: ${commands} commands, ${(bytes / 1e6).toFixed(0)} MB`);
  await life.stop();
  return bytes;
}

async function measureRecovery(
  directory: string,
  what: string,
  snapshotEvery: number,
): Promise<Life> {
  const pauses = new Pauses();
  const began = performance.now();
  const life = await begin(directory, snapshotEvery);
  const { commands, ledAt } = life.seen;
  // The gateway of the life before is gone, which the service learns when this one begins.
  while (life.service.counts.connected > 0) await sleep(5);
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
  await measure("without a snapshot", () => life.seen.isTakingSnapshot);
  const before = snapshots.newest(GROUP)?.index;
  await measure("while one is taken", () => snapshots.newest(GROUP)?.index !== before);
}

const directory = folder();
const bytes = await measureBuild(directory);
// What is recovered counts as grown.
const life = await measureRecovery(directory, "the log", bytes + BEFORE_SNAPSHOT);
await measureSnapshot(life);
await life.stop();
await (await measureRecovery(directory, "the snapshot", NEVER)).stop();
