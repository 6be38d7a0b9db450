/**
 * pnpm --filter raft bench [-- part …]: three processes on one machine over TCP, fdatasync on,
 * commands of 256 bytes. Parts: one, many, groups, idle, recovery, etcd; without any, all.
 */
import { etcdVersion, measureEtcd } from "./etcd.ts";
import { machineText, roundTrip, syncLatency } from "./ground.ts";
import { idle, recovery, throughput, withFolder } from "./measures.ts";

const MS = 5_000;
const INFLIGHT = 256;
const PER_GROUP = 64;
const GROUPS = 16;
const IDLE_GROUPS = 1_000;
const COMMANDS = 1_000_000;

type Row = readonly [what: string, figure: string, target: string, met: string];

const rows: Row[] = [];
const asked = process.argv.slice(2).filter((part) => part !== "--");
const PARTS = ["one", "many", "groups", "idle", "recovery", "etcd"];
const unknown = asked.find((part) => !PARTS.includes(part));
if (unknown !== undefined) {
  console.error(`there is no part ${unknown}: ${PARTS.join(", ")}`);
  process.exit(2);
}
const wants = (part: string) => asked.length === 0 || asked.includes(part);
const ms = (value: number) => `${value.toFixed(2)} ms`;
const thousands = (value: number) => Math.round(value).toLocaleString("en-US");
const yes = (met: boolean) => (met ? "yes" : "NO");

console.log(`${machineText()}\n`);
const sync = await withFolder(syncLatency);
const trip = await roundTrip();
rows.push(["4 KiB and fdatasync", `p50 ${ms(sync.p50)}, p99 ${ms(sync.p99)}`, "", ""]);
rows.push(["TCP round trip", `p50 ${ms(trip.p50)}, p99 ${ms(trip.p99)}`, "", ""]);

if (wants("one")) {
  const { perSecond, p50, p99 } = await throughput(1, 1, MS);
  const target = 3 * (2 * sync.p50 + trip.p50);
  const figure = `p50 ${ms(p50)}, p99 ${ms(p99)}; ${thousands(perSecond)}/s`;
  rows.push(["one client", figure, `p50 ≤ ${ms(target)}`, yes(p50 <= target)]);
}
if (wants("many")) {
  const { perSecond, p50, p99, refused } = await throughput(1, INFLIGHT, MS);
  const figure = `${thousands(perSecond)}/s; p50 ${ms(p50)}, p99 ${ms(p99)}`;
  const met = perSecond >= 20_000 && p99 < 25 && refused === 0;
  rows.push([`${INFLIGHT} in flight, one group`, figure, "≥ 20,000/s, p99 < 25 ms", yes(met)]);
}
if (wants("groups")) {
  const { perSecond, p50, p99, refused } = await throughput(GROUPS, PER_GROUP, MS);
  const figure = `${thousands(perSecond)}/s; p50 ${ms(p50)}, p99 ${ms(p99)}`;
  const met = perSecond >= 40_000 && refused === 0;
  rows.push([`${GROUPS} groups, ${PER_GROUP} in flight each`, figure, "≥ 40,000/s", yes(met)]);
}
if (wants("idle")) {
  const shares = await idle(IDLE_GROUPS, MS);
  const figure = shares.map((share) => `${(share * 100).toFixed(1)} %`).join(", ");
  const met = Math.max(...shares) < 0.05;
  rows.push([`${thousands(IDLE_GROUPS)} idle groups`, figure, "< 5 % of a core", yes(met)]);
}
if (wants("recovery")) {
  const { took, commands } = await recovery(COMMANDS);
  const what = `restart with ${thousands(commands)} commands of 64 bytes in the log`;
  rows.push([what, `${(took / 1000).toFixed(2)} s`, "< 5 s", yes(took < 5_000)]);
}
const version = etcdVersion();
if (wants("etcd") && version !== undefined) {
  const { one, many } = await measureEtcd(version, MS, INFLIGHT);
  const name = `etcd ${version}`;
  rows.push([
    `${name}, one client`,
    `p50 ${ms(one.p50)}, p99 ${ms(one.p99)}; ${thousands(one.perSecond)}/s`,
    "",
    "",
  ]);
  rows.push([
    `${name}, ${INFLIGHT} in flight`,
    `${thousands(many.perSecond)}/s; p50 ${ms(many.p50)}, p99 ${ms(many.p99)} (each client ${Math.round(many.core * 100)} % of a core)`,
    "",
    "",
  ]);
}

const titles: Row = ["measure", "figure", "target", "met"];
const widths = titles.map((_, i) =>
  Math.max(3, ...[titles, ...rows].map((row) => (row[i] ?? "").length)),
);
const line = (cells: readonly string[]) =>
  `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
console.log(
  [line(titles), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n"),
);
