/** `bench run`: every scenario with every broker. */
import { BROKER_NAMES, type BrokerName, isOurs } from "./brokers/broker.ts";
import { isInstalled } from "./brokers/index.ts";
import { choose } from "./choose.ts";
import type { Options } from "./options.ts";
import { scenarios } from "./scenarios/index.ts";
import type { Row } from "./scenarios/row.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { withBench } from "./session.ts";
import { medianOf } from "./statistics.ts";

/** All that one run has found. */
export interface Result {
  readonly broker: BrokerName;
  /** The run with the median value. */
  readonly row: Row;
  /** Of all runs. */
  readonly values: readonly number[];
}

/** Brokers take turns, so that what else the machine does meets them alike. */
export async function compare(
  options: Options,
  report: (results: readonly Result[]) => void,
): Promise<readonly Result[]> {
  const all: Result[] = [];
  const brokers = BROKER_NAMES.filter(
    (name) => (options.brokers?.includes(name) ?? name !== "cluster") && isInstalled(name),
  );
  for (const scenario of choose(scenarios, options.scenarios)) {
    const able = brokers.filter((name) => scenario.without?.includes(name) !== true);
    const runs = new Map<BrokerName, Row[]>(able.map((name) => [name, []]));
    for (let i = 0; i < options.repeat; i++) {
      for (const name of able) runs.get(name)?.push(...(await runOnce(options, name, scenario)));
    }
    const results = [...runs].flatMap(([broker, rows]) => summary(broker, rows));
    all.push(...results);
    report(results);
  }
  return all;
}

async function runOnce(
  options: Options,
  name: BrokerName,
  scenario: Scenario,
): Promise<readonly Row[]> {
  try {
    const generators = scenario.everyCore ? options.cores.generatorCount : options.generators;
    return await withBench({ ...options, generators }, name, scenario, (bench) =>
      scenario.run(bench),
    );
  } catch (error) {
    if (isOurs(name)) throw error;
    // What another broker cannot do is reported and does not end the run.
    const faults = error instanceof Error ? error.message : String(error);
    return [{ name: scenario.name, title: scenario.name, unit: "msg/s", value: 0, faults }];
  }
}

function summary(broker: BrokerName, rows: readonly Row[]): Result[] {
  const names = new Set(rows.map(({ name }) => name));
  return [...names].flatMap((name) => {
    const same = rows.filter((row) => row.name === name);
    const middle = medianOf(same, ({ value }) => value);
    if (middle === undefined) return [];
    const faults = [...new Set(same.map((row) => row.faults).filter((text) => text !== ""))];
    const row = { ...middle, faults: faults.join("; ") };
    return [{ broker, row, values: same.map(({ value }) => value) }];
  });
}
