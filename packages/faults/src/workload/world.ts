import type { Random } from "@canopy/base";
import type { Gateway } from "../client/client.ts";
import type { History } from "../history/history.ts";
import type { Numbers } from "./numbers.ts";

/** What all parts of the workload share. */
export interface World {
  readonly history: History;
  readonly random: Random;
  readonly numbers: Numbers;
  /** All gateways, also those that do not answer now. */
  readonly gateways: () => readonly Gateway[];
}

/** A part of the workload: it starts and stops once per round. */
export interface Part {
  /** Settles when its clients are there. */
  open(): Promise<void>;
  begin(): void;
  /** Begins nothing more; settles when what it has begun is finished. */
  finish(): Promise<void>;
  /** What it is waiting for, in words; nothing when all is done. */
  readonly waitsFor: readonly string[];
  close(): Promise<void>;
}
