import type { RetainedPosition } from "@canopy/store";
import type { Sub } from "./sub.ts";

/** The retained values of one subscription on their way, in the order of the store. */
export class RetainedStream {
  readonly sub: Sub;
  /** Values with an offset at most this, per shard. */
  readonly upTo: readonly number[];
  /**
   * Everything up to here has been written at QoS 0, or its packet identifier is committed. What is
   * not kept for an identifier (expired, the client's own) is passed with the next one, or at the end.
   */
  passed: RetainedPosition | undefined;
  /** Values at QoS 1 or 2 behind that: they wait for room, or for the commit of their identifier. */
  uncommitted = 0;
  /**
   * False when the values are asked for anew, or not any more: how far this one came is of no
   * interest then.
   */
  isCurrent = true;
  /** All are on their way. */
  isSent = false;
  /** The session state knows, or is being told, how far it has come. */
  isTold = true;

  constructor(sub: Sub, upTo: readonly number[], after: RetainedPosition | undefined) {
    this.sub = sub;
    this.upTo = upTo;
    this.passed = after;
  }
}
