/** `bench guard`: CPU per message of this tree beside that of another revision. */
import {
  type Bench,
  endLoad,
  faultText,
  type LoadShape,
  measureWindow,
  pauseLoad,
  prepareLoad,
  runLoad,
  sleep,
} from "../measure.ts";
import type { Options } from "../options.ts";
import { withBench } from "../session.ts";
import { left, number, right, table } from "../table.ts";
import { baseCommit, describeCommit, hasChangedSince, withCheckout } from "./revision.ts";
import { type Pair, type Verdict, verdictOf } from "./verdict.ts";

export interface GuardRow extends Verdict {
  readonly title: string;
  readonly pairs: readonly Pair[];
  readonly faults: string;
}

interface Load {
  readonly title: string;
  readonly shape: LoadShape;
}

const fifty = (qos: 0 | 1 | 2): LoadShape => ({
  publishers: 50,
  subscribers: 50,
  topics: 50,
  qos,
});

const loads: readonly Load[] = [
  { title: "1:1 QoS 0", shape: fifty(0) },
  { title: "1:1 QoS 1", shape: fifty(1) },
  { title: "1:1 QoS 2", shape: fifty(2) },
  {
    title: "fan-out 5 → 100 QoS 1",
    shape: { publishers: 5, subscribers: 100, topics: 5, qos: 1 },
  },
  { title: "durable 1:1 QoS 1", shape: { ...fifty(1), durable: true } },
];

/** The first look at a load lets both brokers compile it, and is not counted. */
const FIRST = { warmup: 0.3, seconds: 1 };
const SLICE = { warmup: 0.05, seconds: 0.35 };
const PAIRS = 11;
/** What seems to have grown is measured again with fresh brokers, and must have grown again. */
const LOOKS = 2;

export async function guard(
  options: Options,
  print: (text: string) => void,
): Promise<readonly GuardRow[]> {
  const base = baseCommit(options.base);
  print(`base: ${describeCommit(base)}`);
  // With a base that was asked for, also the same is compared: to see how steady this is.
  if (options.base === undefined && !hasChangedSince(base)) {
    print("the broker is the same: there is nothing to compare");
    return [];
  }
  return withCheckout(base, async (folder) => {
    const rows = await look(options, folder, loads);
    for (let i = 1; i < LOOKS; i++) {
      const suspects = loads.filter((_, at) => rows[at]?.hasGrown === true);
      if (suspects.length === 0) break;
      print(
        `${guardTable(rows)}\nmeasured again: ${suspects.map(({ title }) => title).join(", ")}`,
      );
      for (const again of await look(options, folder, suspects)) {
        const at = rows.findIndex(({ title }) => title === again.title);
        rows[at] = again;
      }
    }
    return rows;
  });
}

/** Both brokers run all the time and take turns at being loaded. */
async function look(options: Options, folder: string, some: readonly Load[]): Promise<GuardRow[]> {
  const settings = { durable: true };
  return withBench({ ...options, tree: folder }, "canopy", settings, async (base) =>
    withBench(options, "canopy", settings, async (ours) => {
      const rows: GuardRow[] = [];
      for (const load of some) rows.push(await compareBoth(base, ours, load));
      return rows;
    }),
  );
}

async function compareBoth(base: Bench, ours: Bench, { title, shape }: Load): Promise<GuardRow> {
  await prepareLoad(base, shape);
  await prepareLoad(ours, shape);
  await cost(base, FIRST);
  await cost(ours, FIRST);
  const pairs: Pair[] = [];
  for (let i = 0; i < PAIRS; i++) {
    // Who comes first alternates too.
    if (i % 2 === 0) {
      const first = await cost(base, SLICE);
      pairs.push({ base: first, ours: await cost(ours, SLICE) });
    } else {
      const first = await cost(ours, SLICE);
      pairs.push({ base: await cost(base, SLICE), ours: first });
    }
  }
  await endLoad(base);
  const { faults } = await endLoad(ours);
  return { ...verdictOf(pairs), title, pairs, faults: faultText(faults) };
}

/** Microseconds of CPU per message, in a moment of full load; before and after it there is none. */
async function cost(bench: Bench, { warmup, seconds }: typeof SLICE): Promise<number> {
  await runLoad(bench);
  await sleep(warmup);
  const { cpuPerMillion } = await measureWindow(bench, seconds);
  await pauseLoad(bench);
  return cpuPerMillion;
}

export function guardTable(rows: readonly GuardRow[]): string {
  return table(
    [
      left("load"),
      right("base, µs"),
      right("this, µs"),
      right("ratio"),
      right("± noise"),
      left("grown"),
      left("wrong"),
    ],
    rows.map(({ title, base, ours, ratio, noise, hasGrown, faults }) => [
      title,
      number(base),
      number(ours),
      ratio.toFixed(3),
      noise.toFixed(3),
      hasGrown ? "yes: by more than 15 %" : "no",
      faults,
    ]),
  );
}
