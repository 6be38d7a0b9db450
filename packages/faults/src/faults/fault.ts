import type { Random } from "@canopy/base";
import type { Probe } from "../probes/probes.ts";
import type { Controls } from "../targets/controls.ts";
import type { TargetProcess } from "../targets/target.ts";

export interface Probes {
  /** To every shard. */
  readonly publishing: Probe;
  /** To every session group. */
  readonly connecting: Probe;
  /** Durable sessions that have to leave their gateway. */
  readonly staying: Probe;
}

export interface FaultContext {
  readonly controls: Controls;
  readonly probes: Probes;
  readonly random: Random;
  readonly now: () => number;
}

/** For how long something did not work, and for how long it may not, ms. */
export interface Measure {
  readonly what: string;
  readonly time: number;
  /** Without one it is only told. */
  readonly limit?: number;
}

export interface Fault {
  readonly name: string;
  /** Whether this target has what it needs. */
  suits(controls: Controls): boolean;
  /** Does it, undoes it, and says how long things did not work. */
  run(context: FaultContext): Promise<Done>;
}

export interface Done {
  /** To whom it was done. */
  readonly victim: string;
  readonly measures: readonly Measure[];
}

/** For how long what did not work, ms. */
export type Stalls = Record<keyof Probes, number>;

/** Clients of this process go elsewhere at once, so that what is measured is not their patience. */
export function fleeFrom({ name }: TargetProcess, { probes }: FaultContext): void {
  for (const probe of Object.values(probes)) probe.flee(name);
}
