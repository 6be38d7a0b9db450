/** Appends for ever and prints each acknowledged offset; kill.test.ts kills it. */
import { writeSync } from "node:fs";
import { openLevelStore } from "../src/index.ts";

const [folder = "", segmentBytes = "0"] = process.argv.slice(2);
const store = await openLevelStore({ folder, segmentBytes: Number(segmentBytes) });
const shard = await store.open(0, (await store.epoch(0)) + 1);
let next = Math.max(shard.head, shard.epoch * 2 ** 32) + 1;

async function one(): Promise<void> {
  const first = next++;
  const body = Buffer.from(`${first}`.padEnd(20 + (first % 300), "."));
  await shard.append({
    first,
    bodies: body,
    ends: [body.length],
    expiries: [0],
    postings: new Map([["q", [0]], ...(first % 3 === 0 ? [["third", [0]] as const] : [])]),
    retained: [{ topic: `t/${first % 10}`, index: 0 }],
    receipts: [{ session: 1, key: (first % 100) + 1, add: true }],
    endedSessions: [],
    senders: [{ sender: "g1", term: 0, seq: first }],
    progress: new Map([["$share/g/x", body]]),
  });
  // At once and whole, as a network would have it before the process can die.
  writeSync(1, `${first}\n`);
}

for (;;) await Promise.all([one(), one(), one()]);
