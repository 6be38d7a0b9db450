import type { Bench } from "../measure.ts";
import { sleep } from "../measure.ts";
import { exactCpuOf, residentOf } from "../proc.ts";
import type { Row } from "./row.ts";
import type { Scenario } from "./scenario.ts";

const AT_ONCE = 100;
const STORM_ROUND = 2000;
const IDLE_BEFORE = 2000;
const IDLE_MORE = 8000;
const QUICK = 20;
/** Seconds until memory is looked at. */
const REST = 3;

async function connect(bench: Bench, from: number, count: number): Promise<void> {
  const { generators, broker } = bench;
  const { host, port, version } = broker;
  const processes = generators.all.length;
  await generators.each("connect", (index) => {
    const first = Math.floor((count * index) / processes);
    const end = Math.floor((count * (index + 1)) / processes);
    const where = { host, port, version, prefix: "idle" };
    return { ...where, from: from + first, count: end - first, concurrency: AT_ONCE };
  });
}

/** Rounds of connecting many clients at once; closing them is not counted. */
async function storm(bench: Bench): Promise<readonly Row[]> {
  const { generators, broker } = bench;
  const count = bench.quick ? STORM_ROUND / QUICK : STORM_ROUND;
  const round = async (): Promise<{ seconds: number; cpu: number }> => {
    const cpu = exactCpuOf(broker.pid);
    const start = performance.now();
    await connect(bench, 0, count);
    const seconds = (performance.now() - start) / 1000;
    const used = exactCpuOf(broker.pid) - cpu;
    await generators.each("closeAll", () => null);
    return { seconds, cpu: used };
  };
  let seconds = 0;
  let cpu = 0;
  let connections = 0;
  await round();
  const end = performance.now() + bench.warmup * 1000;
  while (performance.now() < end) await round();
  while (seconds < bench.seconds) {
    const result = await round();
    seconds += result.seconds;
    cpu += result.cpu;
    connections += count;
  }
  return [
    {
      name: "connect",
      title: "connect storm",
      unit: "conn/s",
      value: connections / seconds,
      cpuPerMillion: (cpu / connections) * 1e6,
      brokerCores: cpu / seconds,
      resident: residentOf(broker.pid),
      faults: "",
    },
  ];
}

/** What one more connection costs, when there are some already. */
async function idle(bench: Bench): Promise<readonly Row[]> {
  const { generators, broker } = bench;
  const [before, more] = bench.quick
    ? [IDLE_BEFORE / QUICK, IDLE_MORE / QUICK]
    : [IDLE_BEFORE, IDLE_MORE];
  const rest = Math.min(REST, bench.seconds);
  await connect(bench, 0, before);
  await sleep(rest);
  const first = residentOf(broker.pid);
  await connect(bench, before, more);
  await sleep(rest);
  const resident = residentOf(broker.pid);
  await generators.each("closeAll", () => null);
  return [
    {
      name: "idle",
      title: "memory per idle connection",
      unit: "B",
      value: (resident - first) / more,
      resident,
      faults: "",
    },
  ];
}

export const connectStorm: Scenario = { name: "connect", durable: false, run: storm };
export const idleMemory: Scenario = { name: "idle", durable: false, run: idle };
