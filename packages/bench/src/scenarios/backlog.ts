import {
  type Bench,
  between,
  faultsOf,
  faultText,
  type LoadShape,
  mark,
  sleep,
  specOf,
} from "../measure.ts";
import { brokerCpu, brokerMemory } from "../proc.ts";
import type { Row } from "./row.ts";
import type { Scenario } from "./scenario.ts";

const PAIRS = 50;
const shape: LoadShape = {
  publishers: PAIRS,
  subscribers: PAIRS,
  topics: PAIRS,
  qos: 1,
  durable: true,
};
const LONGEST_DRAIN = 60_000;

/**
 * Durable sessions that are away: messages are published to them as fast as they are acknowledged,
 * then the sessions come back and everything must arrive, once.
 */
export const backlog: Scenario = { name: "backlog", durable: true, run };

async function run(bench: Bench): Promise<readonly Row[]> {
  const { generators } = bench;
  await generators.each("prepare", (index) => specOf(bench, shape, "backlog", index));
  await generators.each("closeSubscribers", () => null);
  const publish = await publishBacklog(bench);
  const drain = await drainBacklog(bench);
  await generators.each("end", () => null);
  return [{ ...publish, faults: drain.faults }, drain];
}

async function publishBacklog(bench: Bench): Promise<Row> {
  const { generators, broker } = bench;
  await generators.each("start", () => null);
  await sleep(bench.warmup);
  const begin = await mark(bench, "mark");
  await sleep(bench.seconds);
  const end = await mark(bench, "mark");
  await generators.each("stop", () => null);
  await generators.each("answered", () => null);
  const { sent, brokerCores, generatorCores } = between(begin, end);
  return {
    name: "backlog-publish",
    title: "offline backlog: publish",
    unit: "msg/s",
    value: sent,
    cpuPerMillion: (brokerCores / sent) * 1e6,
    brokerCores,
    generatorCores,
    resident: brokerMemory(broker),
    faults: "",
  };
}

async function drainBacklog(bench: Bench): Promise<Row> {
  const { generators, broker } = bench;
  const start = performance.now();
  const cpu = brokerCpu(broker);
  await generators.each("reopenSubscribers", () => null);
  const opening = (performance.now() - start) / 1000;
  const results = await generators.each("drain", () => ({
    idle: bench.drainIdle * 1000,
    most: LONGEST_DRAIN,
  }));
  const used = brokerCpu(broker) - cpu;
  const seconds = opening + Math.max(...results.map(({ movedFor }) => movedFor));
  const delivered = results.reduce((sum, { counters }) => sum + counters.delivered, 0);
  return {
    name: "backlog-drain",
    title: "offline backlog: drain",
    unit: "msg/s",
    value: delivered / seconds,
    cpuPerMillion: (used / delivered) * 1e6,
    brokerCores: used / seconds,
    resident: brokerMemory(broker),
    faults: faultText(faultsOf(results)),
  };
}
