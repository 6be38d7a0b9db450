// The end of a gateway with 100,000 sessions, a fifth of them with wills, while another one goes on:
// how long it takes, and how long others' commands wait meanwhile and without it. One voter, this disk:
//   node --conditions=source services/session/bench/gateway-end.ts [directory]
import { encodeRecord } from "@canopy/codec";
import type { Change } from "@canopy/control";
import { EXPIRY_NEVER } from "@canopy/session";
import { TopicTable } from "@canopy/topic";
import { Pauses } from "./pauses.ts";
import { folder, openRequest, releaseOf, SHARDS, start, stores } from "./running.ts";

const SESSIONS = 100_000;
const TOGETHER = 5_000;
const idle = { stop: () => {} };

let wills = 0;
const counting = {
  ...stores,
  publishWill: async () => {
    wills++;
  },
};

const { alone, service, stop } = await start({ directory: folder(), store: counting });
const { sessions } = service;
const dying = alone.gateway;
const other = dying + 1;
const member = {
  kind: "gateway",
  incarnation: other,
  name: "other",
  address: "",
  disk: "",
} as const;
commit({ type: "member-up", member });
await Promise.all([sessions.attach(dying, idle), sessions.attach(other, idle)]);
const topics = new TopicTable(SHARDS);
await connect();
const quiet = await others(async () => {
  await new Promise((resolve) => setTimeout(resolve, 2_000));
});
const pauses = new Pauses();
const began = performance.now();
const busy = await others(async () => {
  commit({ type: "gateway-down", incarnation: dying });
  commit({ type: "gateway-gone", incarnation: dying });
  while (service.counts.connected > 1 || wills < SESSIONS / 5) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
console.log(
  `${SESSIONS} sessions released, ${wills} wills published in ` +
    `${Math.round(performance.now() - began)} ms; ${pauses.end()}`,
);
console.log(`others' connects and ends before that: ${quiet}`);
console.log(`meanwhile: ${busy}`);
await stop();

function commit(change: Change): void {
  const version = alone.view.version + 1;
  alone.view.apply([{ version, change }], version);
}

async function connect(): Promise<void> {
  for (let from = 0; from < SESSIONS; from += TOGETHER) {
    await Promise.all(Array.from({ length: TOGETHER }, (_, i) => open(dying, from + i)));
  }
}

function open(gateway: number, i: number) {
  const expiry = i % 2 === 0 ? EXPIRY_NEVER : 0;
  return sessions.open(
    openRequest(gateway, i, { expiry, will: i % 5 === 0 ? will(i) : undefined }),
  );
}

function will(i: number) {
  const topic = topics.internString(`wills/${i}`);
  if (topic === undefined) throw new Error("no topic name");
  const clientId = Buffer.from(`client-${i}`);
  const payload = Buffer.alloc(50);
  const message = { topic, payload, qos: 1, retain: false, clientId, acceptedAt: 0 } as const;
  return { record: encodeRecord(message), delay: 0, expiry: undefined };
}

/** One client after the other connects and goes, until `work` is done; how long that took each time. */
async function others(work: () => Promise<void>): Promise<string> {
  const times: number[] = [];
  let isDone = false;
  const done = work().then(() => {
    isDone = true;
  });
  for (let i = SESSIONS + 1; !isDone; i += 5) {
    const start = performance.now();
    await sessions.release(releaseOf(await open(other, i)));
    times.push(performance.now() - start);
  }
  await done;
  times.sort((a, b) => a - b);
  const at = (part: number) => (times[Math.floor(times.length * part)] ?? 0).toFixed(1);
  return `${times.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(0.9999)} ms`;
}
