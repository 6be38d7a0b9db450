/**
 * node --conditions=source bench/raft.ts [tcp|grpc …]: Raft's benchmark over each transport. Three
 * processes on one machine, fdatasync on, commands of 256 bytes.
 */
import { machineText, syncLatency } from "../../raft/bench/ground.ts";
import { throughput, withFolder } from "../../raft/bench/measures.ts";

const MS = 5_000;
const ROUNDS = [
  { what: "one client", groups: 1, inflight: 1 },
  { what: "256 in flight", groups: 1, inflight: 256 },
  { what: "16 groups, 64 in flight each", groups: 16, inflight: 64 },
] as const;

const grpc = { transport: new URL("raft-transport.ts", import.meta.url).href };
const asked = process.argv.slice(2);
const sync = await withFolder(syncLatency);
console.log(`${machineText()}\n4 KiB and fdatasync: p50 ${sync.p50.toFixed(2)} ms`);
for (const { what, groups, inflight } of ROUNDS) {
  for (const [name, options] of [
    ["tcp", {}],
    ["grpc", grpc],
  ] as const) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const { perSecond, p50, p99 } = await throughput(groups, inflight, MS, options);
    const rate = Math.round(perSecond).toLocaleString("en-US");
    console.log(`${what}, ${name}: ${rate}/s; p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`);
  }
}
