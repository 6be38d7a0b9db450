/** What turns say about a target. */
import { median } from "../statistics.ts";
import { number } from "../table.ts";
import type { Beside } from "./turns.ts";

export interface Verdict {
  readonly quiet: number;
  readonly busy: number;
  /** What the target is about. */
  readonly measure: number;
  readonly target: string;
  readonly isMet: boolean;
  /** How it was in other turns than the one that is shown. */
  readonly turns: string;
}

const MOST_RATIO = 3;
const MOST_STALL = 20;
const LEAST_SHARE = 0.7;

/** By the median turn: a percentile of one in which the machine was elsewhere says nothing. */
export function slowdown({ quiet, busy }: Pick<Beside, "quiet" | "busy">): Verdict {
  const alone = median(quiet.map(({ p99 }) => p99));
  const disturbed = busy.map(({ p99 }) => p99);
  const measure = median(disturbed) / alone;
  return {
    quiet: alone,
    busy: median(disturbed),
    measure,
    target: `ratio ≤ ${MOST_RATIO}`,
    isMet: measure <= MOST_RATIO,
    turns: `worst turn ${number(Math.max(...disturbed))}`,
  };
}

/** By the worst turn: nobody's message may wait longer than the target says. */
export function stall({ quiet, busy }: Pick<Beside, "quiet" | "busy">): Verdict {
  const waits = busy.map(({ max }) => max);
  const longest = Math.max(...waits);
  return {
    quiet: Math.max(...quiet.map(({ max }) => max)),
    busy: longest,
    measure: longest,
    target: `< ${MOST_STALL} ms`,
    isMet: longest < MOST_STALL,
    turns: `median turn ${number(median(waits))}`,
  };
}

/** Deliveries per second without and with the disturbance. */
export function share(quiet: number, busy: number): Omit<Verdict, "turns"> {
  const measure = busy / quiet;
  const target = `ratio ≥ ${LEAST_SHARE}`;
  return { quiet, busy, measure, target, isMet: measure >= LEAST_SHARE };
}
