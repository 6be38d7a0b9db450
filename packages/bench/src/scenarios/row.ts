import type { Latency, Measured } from "../measure.ts";
import { faultText } from "../measure.ts";
import type { CpuByRole } from "../proc.ts";

export type Unit = "msg/s" | "conn/s" | "B" | "ms";

/** One figure of one scenario with one broker. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
  readonly value: number;
  readonly latency?: Latency;
  /** Seconds of the broker's CPU per million deliveries, or connections. */
  readonly cpuPerMillion?: number;
  /** The same by kind of process, where there are several. */
  readonly cpuByRole?: CpuByRole;
  readonly brokerCores?: number;
  readonly generatorCores?: number;
  readonly resident?: number;
  /** What was wrong; empty in a good run. */
  readonly faults: string;
}

export function isHigherBetter(unit: Unit): boolean {
  return unit === "msg/s" || unit === "conn/s";
}

export function throughputRow(name: string, title: string, measured: Measured): Row {
  return { ...detailsOf(measured), name, title, unit: "msg/s", value: measured.delivered };
}

export function detailsOf(measured: Measured): Pick<
  Row,
  "latency" | "cpuPerMillion" | "cpuByRole" | "brokerCores" | "generatorCores" | "resident"
> & {
  readonly faults: string;
} {
  const { latency, cpuPerMillion, cpuByRole, brokerCores, generatorCores, resident } = measured;
  const faults = faultText(measured.faults);
  return { latency, cpuPerMillion, cpuByRole, brokerCores, generatorCores, resident, faults };
}
