import type { BrokerName } from "./brokers/broker.ts";
import type { Result } from "./compare.ts";
import type { Row, Unit } from "./scenarios/row.ts";
import { left, megabytes, number, right, table } from "./table.ts";
import { isMet, ratio, targetOf } from "./targets.ts";

const optional = (value: number | undefined, format = number): string =>
  value === undefined ? "" : format(value);

/** Everything that was measured, a line per broker. */
export function detailTable(results: readonly Result[]): string {
  const columns = [
    left("scenario"),
    left("broker"),
    right("result"),
    left("unit"),
    right("lowest – highest"),
    right("p50 ms"),
    right("p99 ms"),
    right("p99.9 ms"),
    right("CPU s/M"),
    right("cores"),
    right("gen. cores"),
    right("RSS"),
    left("wrong"),
  ];
  return table(columns, results.map(detailLine));
}

function detailLine({ broker, row, values }: Result): string[] {
  const { latency } = row;
  return [
    row.title,
    broker,
    number(row.value),
    row.unit,
    `${number(Math.min(...values))} – ${number(Math.max(...values))}`,
    optional(latency?.p50),
    optional(latency?.p99),
    optional(latency?.p999),
    optional(row.cpuPerMillion),
    optional(row.brokerCores),
    optional(row.generatorCores),
    optional(row.resident, megabytes),
    row.faults,
  ];
}

/** Ratios and targets, a line per figure of Canopy's. */
export function summaryTable(results: readonly Result[]): string {
  const columns = [
    left("scenario"),
    left("unit"),
    right("Canopy"),
    right("Mosquitto"),
    right("aedes"),
    right("× Mosquitto"),
    right("× by CPU"),
    right("× aedes"),
    right("target"),
    left("met"),
  ];
  const ours = results.filter(({ broker }) => broker === "canopy");
  return table(
    columns,
    ours.map(({ row }) => summaryLine(row, results)),
  );
}

function summaryLine(row: Row, results: readonly Result[]): string[] {
  const of = (name: BrokerName): Row | undefined =>
    results.find((result) => result.broker === name && result.row.name === row.name)?.row;
  const [mosquitto, aedes] = [of("mosquitto"), of("aedes")];
  const met = isMet(row, mosquitto, aedes);
  const verdict = met === undefined ? "" : met ? "yes" : "no";
  return [
    row.title,
    row.unit,
    number(row.value),
    optional(mosquitto?.value),
    optional(aedes?.value),
    optional(ratio(row, mosquitto)),
    optional(cpuRatio(row, mosquitto)),
    optional(ratio(row, aedes)),
    targetText(row.name, row.unit),
    row.faults === "" ? verdict : "no: see what was wrong",
  ];
}

/** How many times less CPU per message: steadier than throughput where the machine is not idle. */
function cpuRatio(ours: Row, theirs: Row | undefined): number | undefined {
  if (ours.cpuPerMillion === undefined || theirs?.cpuPerMillion === undefined) return undefined;
  return theirs.cpuPerMillion / ours.cpuPerMillion;
}

function targetText(name: string, unit: Unit): string {
  const target = targetOf(name);
  if (target === undefined) return "";
  return "ratio" in target ? `≥ ${target.ratio}` : `< ${target.below} ${unit}`;
}
