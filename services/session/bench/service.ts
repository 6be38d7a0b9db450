// What one process's session service does on this disk, with a group that has no other voter: a storm of
// connections (durable, transient, and as takeovers), progress, and the recovery of all that:
//   node --conditions=source services/session/bench/service.ts [directory]
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Opened } from "@canopy/session";
import { folder, openRequest, progressOf, releaseOf, SHARDS, start } from "./running.ts";

/** Runs `work` for every number, so many at a time; prints the rate, the slowest one percent, and the processor time. */
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
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: width }, worker));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const cpu = Math.round((user + system) / count);
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
  console.log(
    `${what}: ${Math.round(count / seconds)}/s, ${width} at a time, p99 ${p99.toFixed(1)} ms, ` +
      `${cpu} µs of a core each`,
  );
}

function diskLatency(root: string): void {
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

async function storm(directory: string): Promise<void> {
  const { service, alone, stop } = await start({ directory });
  const { sessions } = service;
  const { gateway } = alone;
  const held = new Map<number, Opened>();
  await sessions.attach(gateway, {
    stop: (incarnation) => {
      const opened = held.get(incarnation);
      if (opened) void sessions.release(releaseOf(opened));
    },
  });
  const durable = async (i: number) => {
    const opened = await sessions.open(openRequest(gateway, i));
    held.set(opened.incarnation, opened);
  };
  await rate("durable connections", 100_000, 5_000, durable);
  await rate("takeovers", 100_000, 5_000, durable);
  await rate("subscribes of a filter each", 100_000, 5_000, (i) => {
    const { incarnation, epoch } = held.get(i + 1) as Opened;
    return sessions.subscribe({ incarnation, epoch, subscriptions: [subscription(i)] });
  });
  await rate("transient connections and their ends", 100_000, 5_000, async (i) =>
    sessions.release(
      releaseOf(await sessions.open(openRequest(gateway, 1_000_000 + i, { expiry: 0 }))),
    ),
  );
  const progress = ({ incarnation, epoch }: Opened, i: number) => {
    return { incarnation, epoch, ...progressOf([i % SHARDS, 2 ** 32 + i]) };
  };
  const flushed = Array.from({ length: 1_000 }, (_, i) => held.get(i + 1) as Opened);
  await rate("flushes of the progress of 1,000 sessions", 5_000, 4, (i) =>
    sessions.progress(flushed.map((opened) => progress(opened, i))),
  );
  await rate("flushes of the progress of one session", 2_000, 1, (i) =>
    sessions.progress([progress(flushed[0] as Opened, 10_000 + i)]),
  );
  await stop();
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

async function recovery(directory: string): Promise<void> {
  const began = performance.now();
  const { service, stop } = await start({ directory });
  const ms = Math.round(performance.now() - began);
  console.log(`recovery of all of that: ${ms} ms`, service.counts);
  await stop();
}

const root = folder();
diskLatency(root);
await storm(join(root, "storm"));
await recovery(join(root, "storm"));
