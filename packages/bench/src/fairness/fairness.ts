/** `bench fairness`: what a busy client does to others. */
import type { BrokerName } from "../brokers/broker.ts";
import { choose } from "../choose.ts";
import type { Options } from "../options.ts";
import { left, number, right, table } from "../table.ts";
import { type FairnessRow, type FairnessScenario, fairnessScenarios } from "./scenarios.ts";

export async function fairness(
  options: Options,
  report: (row: FairnessRow) => void,
): Promise<readonly FairnessRow[]> {
  const rows: FairnessRow[] = [];
  for (const broker of options.brokers ?? ["canopy"]) {
    for (const scenario of choose(fairnessScenarios, options.scenarios)) {
      const row = await repeated(options, scenario, broker);
      rows.push(row);
      report(row);
    }
  }
  return rows;
}

/** One of the runs, and what was wrong in any. */
async function repeated(
  options: Options,
  scenario: FairnessScenario,
  broker: BrokerName,
): Promise<FairnessRow> {
  const runs: FairnessRow[] = [];
  while (runs.length < options.repeat) runs.push(await scenario.run(options, broker));
  const shown = scenario.shown(runs);
  if (shown === undefined) throw new RangeError(`--repeat ${options.repeat}`);
  const faults = new Set(runs.map((run) => run.faults).filter((text) => text !== ""));
  return { ...shown, faults: [...faults].join("; ") };
}

export function fairnessTable(rows: readonly FairnessRow[]): string {
  return table(
    [
      left("what"),
      left("broker"),
      left("unit"),
      right("quiet"),
      right("busy"),
      right("ratio"),
      right("target"),
      left("met"),
      left("meanwhile"),
      left("wrong"),
    ],
    rows.map((row) => [
      row.title,
      row.broker,
      row.unit,
      number(row.quiet),
      number(row.busy),
      number(row.busy / row.quiet),
      row.target,
      row.isMet ? "yes" : "no",
      row.note,
      row.faults,
    ]),
  );
}
