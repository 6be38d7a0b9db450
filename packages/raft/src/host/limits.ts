/** Bounds that nobody has to set. Sizes are in bytes. */

/** Of one append, of those in flight to one follower, and of what is being applied. */
export const MAX_APPEND_BYTES: number = 512 << 10;
export const MAX_INFLIGHT_APPENDS = 256;
export const MAX_INFLIGHT_BYTES: number = 16 << 20;
export const MAX_APPLYING_BYTES: number = 4 << 20;
/** Of the leader's entries that are not committed: so many times what may wait as proposals. */
export const UNCOMMITTED_PER_PROPOSALS = 2;

/** Applying lets others have their turn after so many ms, and looks at the clock after so many. */
export const APPLY_MS = 5;
export const APPLY_STRIDE = 32;
/** Also where a clock stands still during a turn. */
export const APPLY_ENTRIES = 2048;

/** A snapshot is written and read in pieces of so many bytes or ms, with turns for others between. */
export const SLICE_BYTES: number = 256 << 10;
export const SLICE_MS = 4;
/** Snapshots that are taken at the same time. */
export const SNAPSHOTS_AT_ONCE = 2;
/** After a failure the log grows by this part of the interval before the next try. */
export const SNAPSHOT_RETRY_PART = 8;

/** A snapshot is sent in parts; one that takes longer than so many ms counts as lost. */
export const PART_BYTES: number = 256 << 10;
export const PART_MS = 10_000;
export const FINISH_MS = 120_000;
/** ms before it is tried again, doubled after each failure. */
export const RESEND_MS = 100;
export const RESEND_MAX_MS = 10_000;

/** A group sleeps when nothing happened in it for so many heartbeats. */
export const IDLE_HEARTBEATS = 3;
/**
 * Election timeouts (electionTicks) that a proposal waits while the disk fails, a read for its answer,
 * and a write for its end, before the disk counts as hanging.
 */
export const PATIENCE = 3;
