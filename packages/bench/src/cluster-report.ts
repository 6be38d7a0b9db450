/** `bench --target cluster`: what the cluster costs beside the standalone broker of the same run. */
import { BROKER_ROLES } from "./brokers/broker.ts";
import type { Result } from "./compare.ts";
import { isHigherBetter, type Row } from "./scenarios/row.ts";
import { left, number, right, table } from "./table.ts";

/** CPU of all processes together per message, and the throughput of one gateway. */
const MOST_CPU = 3;
const LEAST_THROUGHPUT = 0.5;
/** Scenarios that these targets are of. */
const COMPARED: ReadonlySet<string> = new Set(["qos0", "qos1", "durable1"]);
/** ms */
const MOST_LATENCY: Readonly<Record<string, number>> = { "latency-p50": 1.5, "latency-p99": 6 };

interface Figures {
  readonly result: number | undefined;
  readonly cpu: number | undefined;
}

export function clusterTable(results: readonly Result[]): string {
  const columns = [
    left("scenario"),
    left("unit"),
    right("standalone"),
    right("cluster"),
    right("ratio"),
    right("CPU µs"),
    right("× standalone"),
    ...BROKER_ROLES.map((role) => right(`${role} µs`)),
    right("target"),
    left("met"),
  ];
  const ours = results.filter(({ broker }) => broker === "cluster");
  return table(
    columns,
    ours.map(({ row }) => {
      const isSame = (one: Result): boolean => one.broker === "canopy" && one.row.name === row.name;
      return line(row, results.find(isSame)?.row);
    }),
  );
}

function line(row: Row, alone: Row | undefined): string[] {
  const figures: Figures = {
    result: alone && row.value / alone.value,
    cpu: ratioOf(row.cpuPerMillion, alone?.cpuPerMillion),
  };
  const met = isClusterMet(row, figures);
  return [
    row.title,
    row.unit,
    optional(alone?.value),
    number(row.value),
    optional(figures.result),
    optional(row.cpuPerMillion),
    optional(figures.cpu),
    ...BROKER_ROLES.map((role) => optional(row.cpuByRole?.[role])),
    targetText(row),
    row.faults !== "" ? "no: see what was wrong" : met === undefined ? "" : met ? "yes" : "no",
  ];
}

/** Undefined: it has no target, or there is nothing to compare with. */
export function isClusterMet(
  { name, unit, value }: Pick<Row, "name" | "unit" | "value">,
  { result, cpu }: Figures,
): boolean | undefined {
  const most = MOST_LATENCY[name];
  if (most !== undefined) return value < most;
  if (!COMPARED.has(name) || !isHigherBetter(unit)) return undefined;
  if (result === undefined || cpu === undefined) return undefined;
  return result >= LEAST_THROUGHPUT && cpu <= MOST_CPU;
}

function targetText({ name, unit }: Row): string {
  const most = MOST_LATENCY[name];
  if (most !== undefined) return `< ${most} ${unit}`;
  return COMPARED.has(name) ? `≥ ${LEAST_THROUGHPUT}×, CPU ≤ ${MOST_CPU}×` : "";
}

function ratioOf(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}

function optional(value: number | undefined): string {
  return value === undefined ? "" : number(value);
}
