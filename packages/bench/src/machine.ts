import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, release, type as systemType, totalmem } from "node:os";
import { join } from "node:path";
import { findMosquitto } from "./brokers/mosquitto.ts";
import { median } from "./statistics.ts";
import { withTempFolder } from "./temp-folder.ts";

/** Where figures come from; without it they say little. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory: number;
  readonly kernel: string;
  readonly node: string;
  readonly mosquitto: string | undefined;
  readonly aedes: string;
  /** Milliseconds to append 4 KiB and have them on disk: median and 99th percentile. */
  readonly fdatasync: { readonly p50: number; readonly p99: number };
  /** Load average over one minute before the run: what else the machine does. */
  readonly load: number;
}

const SYNCS = 200;
const BLOCK = 4096;

export async function describeMachine(): Promise<Machine> {
  const [load] = (await readFile("/proc/loadavg", "utf8")).split(" ");
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memory: totalmem(),
    kernel: `${systemType()} ${release()}`,
    node: process.version,
    mosquitto: findMosquitto()?.version,
    aedes: await aedesVersion(),
    fdatasync: await withTempFolder(async (folder) => syncLatency(join(folder, "sync"))),
    load: Number(load),
  };
}

function syncLatency(path: string): { p50: number; p99: number } {
  const file = openSync(path, "a");
  const block = Buffer.alloc(BLOCK, 1);
  const times = Array.from({ length: SYNCS }, () => {
    const start = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - start;
  });
  closeSync(file);
  times.sort((a, b) => a - b);
  return { p50: median(times), p99: times[Math.floor(SYNCS * 0.99)] ?? 0 };
}

async function aedesVersion(): Promise<string> {
  const path = new URL("package.json", import.meta.resolve("aedes"));
  const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
  return version;
}

export function machineText(machine: Machine): string {
  const { cpu, cores, memory, kernel, node, mosquitto, aedes, fdatasync, load } = machine;
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  return [
    `${cpu}, ${cores} cores, ${Math.round(memory / 2 ** 30)} GiB; ${kernel}; Node ${node}`,
    `Mosquitto ${mosquitto ?? "not installed"}; aedes ${aedes}`,
    `4 KiB and fdatasync: p50 ${ms(fdatasync.p50)}, p99 ${ms(fdatasync.p99)}; load before: ${load}`,
    "",
  ].join("\n");
}
