import type { Bench } from "../measure.ts";
import { sleep } from "../measure.ts";
import { brokerCpu, brokerMemory } from "../proc.ts";
import type { Row } from "./row.ts";
import type { Scenario } from "./scenario.ts";

/** CONNECTs unanswered in all: Mosquitto's listener has room for 100 that it has not accepted. */
const AT_ONCE = 90;
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
  const concurrency = Math.max(1, Math.floor(AT_ONCE / processes));
  await generators.each("connect", (index) => {
    const first = Math.floor((count * index) / processes);
    const end = Math.floor((count * (index + 1)) / processes);
    const where = { host, port, version, prefix: "idle" };
    return { ...where, from: from + first, count: end - first, concurrency };
  });
}

interface Spent {
  readonly seconds: number;
  readonly cpu: number;
  readonly generatorCpu: number;
}

async function generatorCpu({ generators }: Bench): Promise<number> {
  const all = await generators.each("cpu", () => null);
  return all.reduce((sum, seconds) => sum + seconds, 0);
}

/** Connects so many at once; closing them is not counted. */
async function stormRound(bench: Bench, count: number): Promise<Spent> {
  const { broker } = bench;
  const before = { generator: await generatorCpu(bench), broker: brokerCpu(broker) };
  const start = performance.now();
  await connect(bench, 0, count);
  const seconds = (performance.now() - start) / 1000;
  const cpu = brokerCpu(broker) - before.broker;
  const generator = (await generatorCpu(bench)) - before.generator;
  await bench.generators.each("closeAll", () => null);
  return { seconds, cpu, generatorCpu: generator };
}

async function storm(bench: Bench): Promise<readonly Row[]> {
  const count = bench.quick ? STORM_ROUND / QUICK : STORM_ROUND;
  await stormRound(bench, count);
  const end = performance.now() + bench.warmup * 1000;
  while (performance.now() < end) await stormRound(bench, count);
  const rounds: Spent[] = [];
  const total = (of: (round: Spent) => number): number =>
    rounds.reduce((sum, round) => sum + of(round), 0);
  while (total(({ seconds }) => seconds) < bench.seconds) {
    rounds.push(await stormRound(bench, count));
  }
  const seconds = total((round) => round.seconds);
  const cpu = total((round) => round.cpu);
  const connections = rounds.length * count;
  return [
    {
      name: "connect",
      title: "connect storm",
      unit: "conn/s",
      value: connections / seconds,
      cpuPerMillion: (cpu / connections) * 1e6,
      brokerCores: cpu / seconds,
      generatorCores: total((round) => round.generatorCpu) / seconds,
      resident: brokerMemory(bench.broker),
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
  const first = brokerMemory(broker);
  await connect(bench, before, more);
  await sleep(rest);
  const resident = brokerMemory(broker);
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

export const connectStorm: Scenario = {
  name: "connect",
  durable: false,
  // A connection costs a client nearly as much as the broker.
  everyCore: true,
  run: storm,
};
export const idleMemory: Scenario = { name: "idle", durable: false, run: idle };
