/** What Linux says of a process in /proc. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Broker, BrokerProcess } from "./brokers/broker.ts";

export type CpuByRole = Readonly<Partial<Record<BrokerProcess["role"], number>>>;

/** User and system CPU time in seconds. */
export interface Cpu {
  readonly user: number;
  readonly system: number;
}

/** sysconf(_SC_CLK_TCK), which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Fields 14 and 15 of /proc/PID/stat; field 2, the name, may hold spaces and brackets. */
export function parseStat(text: string): Cpu {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [fields[11], fields[12]].map(Number);
  if (user === undefined || system === undefined || Number.isNaN(user + system)) {
    throw new Error(`not a line of /proc/PID/stat: ${text}`);
  }
  return { user: user / TICKS_PER_SECOND, system: system / TICKS_PER_SECOND };
}

/** A field of /proc/PID/status that is in kB, as bytes. */
export function parseStatus(text: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text);
  if (match === null) throw new Error(`no ${field} in /proc/PID/status`);
  return Number(match[1]) * 1024;
}

/** Nanoseconds on a CPU: the first field of schedstat. */
export function parseSchedstat(text: string): number {
  const time = Number(text.trim().split(" ")[0]);
  if (Number.isNaN(time)) throw new Error(`not a line of schedstat: ${text}`);
  return time;
}

/** Of all threads, also those that have ended. */
export function cpuOf(pid: number): Cpu {
  return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

/**
 * Seconds of CPU of all threads that are there, to the nanosecond. Where the kernel does not count
 * so exactly: by the ticks of `cpuOf`.
 */
export function exactCpuOf(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += threadTime(`/proc/${pid}/task/${thread}/schedstat`);
  }
  if (sum > 0) return sum / 1e9;
  const { user, system } = cpuOf(pid);
  return user + system;
}

/** {@link exactCpuOf} all its processes. */
export function brokerCpu({ processes }: Pick<Broker, "processes">): number {
  return processes.reduce((sum, { pid }) => sum + exactCpuOf(pid), 0);
}

/** The same by what they are. */
export function cpuByRole({ processes }: Pick<Broker, "processes">): CpuByRole {
  const sums: { [role in BrokerProcess["role"]]?: number } = {};
  for (const { role, pid } of processes) sums[role] = (sums[role] ?? 0) + exactCpuOf(pid);
  return sums;
}

/** Bytes, of all its processes. */
export function brokerMemory({ processes }: Pick<Broker, "processes">): number {
  return processes.reduce((sum, { pid }) => sum + residentOf(pid), 0);
}

/** How long a process is watched at a time, and what it may use of that at rest, in ms. */
const WATCH = 250;
const REST = 5;
const MOST_WATCHES = 80;

/** Waits until a broker does next to nothing any more, but not for ever. */
export async function cpuRest(broker: Pick<Broker, "processes">): Promise<void> {
  let before = brokerCpu(broker);
  for (let i = 0; i < MOST_WATCHES; i++) {
    await setTimeout(WATCH);
    const now = brokerCpu(broker);
    if ((now - before) * 1000 < REST) return;
    before = now;
  }
}

/** 0 if the thread has just ended, or the kernel has no schedstat. */
function threadTime(path: string): number {
  try {
    return parseSchedstat(readFileSync(path, "utf8"));
  } catch {
    return 0;
  }
}

/** Resident memory in bytes. */
export function residentOf(pid: number): number {
  return parseStatus(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");
}
