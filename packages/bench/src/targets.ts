import { isHigherBetter, type Row } from "./scenarios/row.ts";

/** What a row of Canopy's should reach: a ratio to Mosquitto's in the same run, or a bound. */
export type Target = { readonly ratio: number } | { readonly below: number };

const targets: Readonly<Record<string, Target>> = {
  qos0: { ratio: 10 },
  qos1: { ratio: 8 },
  qos2: { ratio: 8 },
  fanout0: { ratio: 10 },
  fanout1: { ratio: 10 },
  fanout2: { ratio: 10 },
  fanin0: { ratio: 3 },
  fanin1: { ratio: 3 },
  shared1: { ratio: 3 },
  durable1: { ratio: 4 },
  durable2000: { ratio: 2 },
  "backlog-publish": { ratio: 1 },
  "backlog-drain": { ratio: 2 },
  one0: { ratio: 0.7 },
  one1: { ratio: 0.7 },
  connect: { ratio: 0.4 },
  idle: { below: 8192 },
  "latency-p50": { below: 0.3 },
  "latency-p99": { below: 2 },
};

export function targetOf(name: string): Target | undefined {
  return targets[name];
}

/** How many times as good as the other: above 1 is better, whatever the unit. */
export function ratio(ours: Row, theirs: Row | undefined): number | undefined {
  if (theirs === undefined || theirs.value === 0 || ours.value === 0) return undefined;
  return isHigherBetter(ours.unit) ? ours.value / theirs.value : theirs.value / ours.value;
}

/** Every row must also be ahead of aedes. Undefined: nothing to compare with. */
export function isMet(
  ours: Row,
  mosquitto: Row | undefined,
  aedes: Row | undefined,
): boolean | undefined {
  const target = targetOf(ours.name);
  if (target === undefined) return undefined;
  const toAedes = ratio(ours, aedes);
  if (toAedes !== undefined && toAedes < 1) return false;
  if ("below" in target) return ours.value < target.below;
  const toMosquitto = ratio(ours, mosquitto);
  return toMosquitto === undefined ? undefined : toMosquitto >= target.ratio;
}
