/** A load alone and beside another one, in turns. */
import {
  type Bench,
  endLoad,
  faultText,
  type Latency,
  type LoadShape,
  latencyOf,
  measureWindow,
  pauseLoad,
  prepareLoad,
  runLoad,
  sleep,
} from "../measure.ts";
import { median } from "../statistics.ts";

/** In the first ones the code is still being compiled: they do not count. */
const TURNS = { first: 3, counted: 8 };
const QUICK_TURNS = { first: 1, counted: 2 };
/** Seconds from the beginning of a load until it counts. */
const SETTLING = 0.3;

/** Of each turn that counts. */
export interface Beside {
  readonly quiet: readonly Latency[];
  readonly busy: readonly Latency[];
  /** Deliveries per second of the other load. */
  readonly disturbing: number;
  readonly faults: string;
}

/** In turns, so that whatever the broker and the machine do meanwhile meets both. */
export async function beside(
  one: Bench,
  other: Bench,
  measured: LoadShape,
  disturbing: LoadShape,
): Promise<Beside> {
  await prepareLoad(one, measured);
  await prepareLoad(other, disturbing);
  await warmUp(one, other);
  const quiet: Latency[] = [];
  const busy: Latency[] = [];
  const rates: number[] = [];
  const { first, counted } = turnsOf(one);
  for (let i = 0; i < first + counted; i++) {
    quiet.push(await turn(one));
    await runLoad(other);
    await sleep(SETTLING);
    const others = measureWindow(other, SETTLING + turnLength(one));
    busy.push(await turn(one));
    rates.push((await others).delivered);
    await pauseLoad(other);
  }
  const faults = [await endLoad(one), await endLoad(other)].map((end) => faultText(end.faults));
  return {
    quiet: quiet.slice(first),
    busy: busy.slice(first),
    disturbing: median(rates),
    faults: faults.filter((text) => text).join("; "),
  };
}

/** Both at once, so that all code is compiled before the first turn; nothing of it is measured. */
async function warmUp(one: Bench, other: Bench): Promise<void> {
  await Promise.all([runLoad(one), runLoad(other)]);
  await sleep(one.warmup);
  await Promise.all([pauseLoad(one), pauseLoad(other)]);
}

async function turn(bench: Bench): Promise<Latency> {
  await runLoad(bench);
  await sleep(SETTLING);
  await measureWindow(bench, turnLength(bench));
  return latencyOf(await pauseLoad(bench));
}

function turnsOf({ quick }: Bench): typeof TURNS {
  return quick ? QUICK_TURNS : TURNS;
}

/** In seconds: all turns together are twice as long as a measurement elsewhere. */
function turnLength(bench: Bench): number {
  return (2 * bench.seconds) / turnsOf(bench).counted;
}
