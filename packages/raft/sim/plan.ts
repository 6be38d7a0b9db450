/**
 * What one seed does. Each run has only some kinds of trouble, each with a strength of its own: with
 * all of them all of the time nothing deep would ever be reached (Groce and others, "Swarm testing").
 */
import { Dice } from "./dice.ts";

/** Things that happen to a node or the network for a while, or at once. */
export type Fault =
  | "crash"
  | "crashInOperation"
  | "crashAll"
  | "pause"
  | "partition"
  | "oneWay"
  | "isolateLeader"
  | "crashLeader"
  | "diverge"
  | "pauseLeader"
  | "slowLink"
  | "slowDisk"
  | "stalledDisk"
  | "diskErrors"
  | "fullDisk"
  | "wipe";

export const FAULTS: readonly Fault[] = [
  "crash",
  "crashInOperation",
  "crashAll",
  "pause",
  "partition",
  "oneWay",
  "isolateLeader",
  "crashLeader",
  "diverge",
  "pauseLeader",
  "slowLink",
  "slowDisk",
  "stalledDisk",
  "diskErrors",
  "fullDisk",
  "wipe",
];

/** When a fault follows at once on something that happened. */
export type Moment =
  | "elected"
  | "commit"
  | "configuration"
  | "snapshot"
  | "append"
  | "vote"
  | "change"
  | "founding";
export const MOMENTS: readonly Moment[] = [
  "elected",
  "commit",
  "configuration",
  "snapshot",
  "append",
  "vote",
  "change",
  "founding",
];

export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  /** Of them, those that each group begins with. */
  readonly voters: number;
  readonly groups: number;
  /** Simulated ms of trouble. */
  readonly duration: number;
  readonly tick: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly skew: number;
  readonly faults: ReadonlyMap<Fault, number>;
  /** Mean ms between two faults. */
  readonly faultEvery: number;
  /** How long a fault lasts, mean ms. */
  readonly faultLasts: number;
  readonly moments: ReadonlyMap<Moment, number>;
  readonly network: {
    readonly delay: number;
    readonly loss: number;
    readonly duplicate: number;
    readonly breaks: number;
    readonly refuse: number;
    readonly disorder: boolean;
  };
  readonly disk: { readonly operation: number; readonly sync: number; readonly sector: number };
  readonly segmentBytes: number;
  readonly snapshotEvery: number;
  readonly keepTail: number;
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  readonly limits: {
    readonly maxAppendBytes: number;
    readonly maxInflightAppends: number;
    readonly maxInflightBytes: number;
    readonly maxApplyingBytes: number;
  };
  readonly clients: {
    readonly count: number;
    readonly depth: number;
    /** Mean ms between two operations of one. */
    readonly think: number;
    readonly keys: number;
    readonly reads: number;
    readonly patience: number;
    readonly padding: number;
    /** Probability that a client ends after an operation, and another begins. */
    readonly ends: number;
    readonly anonymous: number;
  };
  /** Mean ms between changes of members and between transfers; infinite for none. */
  readonly changeEvery: number;
  readonly transferEvery: number;
}

/** What is not drawn, so that one kind of trouble comes often: for a bug that few seeds would find. */
export type Aim = Partial<Omit<Plan, "seed">>;

export function planOf(seed: number, aim: Aim = {}): Plan {
  return { ...drawn(seed), ...aim };
}

function drawn(seed: number): Plan {
  const dice = new Dice(seed).split("plan");
  const voters = dice.pick([1, 2, 3, 3, 3, 3, 3, 4, 5]);
  const spare = dice.pick([0, 0, 1, 1, 2]);
  const calm = dice.chance(0.05);
  // Where the log is compacted at once, many followers need a snapshot.
  const eager = dice.chance(0.15);
  const { faults, moments } = troubles(dice, calm, voters);
  const maybe = (probability: number, low: number, high: number): number =>
    dice.chance(probability) && !calm ? dice.scale(low, high) : 0;
  const tick = dice.pick([5, 10, 10, 20]);
  const electionTicks = dice.pick([5, 10, 10, 10]);
  return {
    seed,
    nodes: voters + spare,
    voters,
    groups: dice.pick([1, 1, 1, 2, 3]),
    duration: dice.between(500, 2500),
    tick,
    electionTicks,
    heartbeatTicks: electionTicks < 10 ? 1 : dice.pick([1, 2, 2, 3]),
    skew: dice.chance(0.3) ? dice.scale(0.01, 0.3) : 0,
    faults,
    faultEvery: dice.scale(40, 600),
    faultLasts: dice.scale(20, 800),
    moments,
    network: {
      delay: dice.scale(0.1, dice.chance(0.2) ? 40 : 4),
      loss: maybe(0.3, 0.001, 0.2),
      duplicate: maybe(0.3, 0.001, 0.2),
      breaks: maybe(0.3, 0.001, 0.03),
      refuse: maybe(0.1, 0.001, 0.05),
      disorder: !calm && dice.chance(0.25),
    },
    disk: {
      operation: dice.scale(0.01, 0.2),
      sync: dice.scale(0.2, dice.chance(0.2) ? 30 : 3),
      sector: dice.pick([64, 512, 512, 4096]),
    },
    segmentBytes: dice.pick([2048, 8192, 8192, 65536]),
    snapshotEvery: eager
      ? dice.between(60, 300)
      : Math.floor(dice.pick([dice.scale(200, 2000), dice.scale(500, 8000), 1 << 20])),
    keepTail: eager ? 0 : dice.pick([0, 200, 1000, 4000]),
    maxProposals: dice.pick([4, 64, 1000]),
    maxProposalBytes: dice.pick([400, 4000, 1 << 20]),
    limits: {
      maxAppendBytes: dice.pick([1, 100, 1000, 1 << 19]),
      maxInflightAppends: dice.pick([1, 2, 4, 64]),
      maxInflightBytes: dice.pick([200, 2000, 1 << 20]),
      maxApplyingBytes: dice.pick([1, 100, 1000, 1 << 20]),
    },
    clients: {
      count: dice.between(1, 5),
      depth: dice.pick([1, 1, 2, 4]),
      think: dice.scale(4, 80),
      keys: dice.between(1, 3),
      reads: dice.pick([0.1, 0.3, 0.5]),
      patience: dice.scale(50, 600),
      padding: dice.pick([0, 0, 40, 300, 900]),
      ends: dice.pick([0, 0.02, 0.1]),
      anonymous: dice.pick([0, 0, 0.2]),
    },
    changeEvery: dice.chance(0.5) ? dice.scale(60, 800) : Number.POSITIVE_INFINITY,
    transferEvery: dice.chance(0.3) ? dice.scale(60, 800) : Number.POSITIVE_INFINITY,
  };
}

function troubles(
  dice: Dice,
  calm: boolean,
  voters: number,
): { faults: Map<Fault, number>; moments: Map<Moment, number> } {
  const faults = new Map<Fault, number>();
  const moments = new Map<Moment, number>();
  if (calm) return { faults, moments };
  for (const fault of FAULTS) {
    if (fault === "wipe" && voters < 3) continue;
    if (dice.chance(0.3)) faults.set(fault, dice.scale(0.1, 1));
  }
  for (const moment of MOMENTS) {
    if (dice.chance(0.15)) moments.set(moment, dice.scale(0.01, 0.5));
  }
  return { faults, moments };
}
