// Rate of commands, memory per idle durable session, time of a snapshot and of its restoration:
//   node --conditions=source --expose-gc --max-old-space-size=8000 packages/session/bench/state.ts
import type { Command, Opened } from "../src/index.ts";
import { decodeCommand, encodeCommand, type Results, restore, SessionState } from "../src/index.ts";

const SESSIONS = 1_000_000;
const SHARDS = 16;
const EPOCH = 5 * 2 ** 32;

const state = SessionState.create({ shards: SHARDS, groups: 1, group: 1 });

/** As a log does it: by bytes. */
function apply<C extends Command>(command: C): Results[C["type"]] {
  return state.apply(decodeCommand(encodeCommand(command)) as C);
}

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Connects, subscribes to a filter of its own, reads in one shard and goes. */
function live(i: number, gateway: number): void {
  const request = {
    clientId: `client-${i}`,
    gateway,
    requestId: i + 1,
    cleanStart: false,
    expiry: 3600,
    will: undefined,
    user: undefined,
  };
  const { incarnation, epoch } = (apply({ type: "open", at: i, request }) as { opened: Opened })
    .opened;
  const heads = Array.from({ length: SHARDS }, (_, shard) => EPOCH + Math.floor(i / 100) + shard);
  const subscription = {
    filter: `devices/${i}/commands`,
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: 0,
    sendRetained: false,
  } as const;
  const requests = [{ incarnation, epoch, subscriptions: [subscription] }];
  apply({ type: "subscribe", at: i, heads, requests });
  const none = { done: [], drained: [], retainedAfter: [], retainedSent: [] };
  const progress = { incarnation, epoch, cursors: [i % SHARDS, EPOCH + i], ...none };
  apply({ type: "progress", at: i, batch: [progress] });
  const rest = { will: "drop", expiry: undefined, unfinished: [] } as const;
  apply({ type: "release", at: i, request: { incarnation, epoch, cursors: [], ...none, ...rest } });
}

function timed<T>(what: string, work: () => T): T {
  const start = performance.now();
  const result = work();
  console.log(`${what}: ${((performance.now() - start) / 1000).toFixed(2)} s`);
  return result;
}

const before = memory();
timed(`${4 * SESSIONS} commands, encoded, decoded and applied`, () => {
  const gateway = 1;
  const nobody = { gatewaysGone: [], storesUp: [], storesDown: [] };
  apply({ type: "members", at: 0, version: 1, gatewaysUp: [gateway], ...nobody });
  for (let i = 0; i < SESSIONS; i++) live(i, gateway);
});
console.log(`${Math.round((memory() - before) / SESSIONS)} bytes per session`);
const chunks = timed("snapshot", () => [...state.snapshot()]);
console.log(`${Math.round(chunks.reduce((sum, { length }) => sum + length, 0) / 1e6)} MB`);
timed("restoration", () => restore(chunks));
