import type { Aim } from "../plan.ts";

/** A deliberate bug: in this file of src/ this text, which is there exactly once, becomes that. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Of its seeds, where those as they are drawn would seldom come to it. */
  readonly aim?: Aim;
}
