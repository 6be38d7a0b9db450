/** Bounds of links, in bytes unless something else is said. */

/** What a shard of one store process may have of a gateway and not have released. */
export const SHARD_WINDOW: number = 2 << 20;

/** What a store process may have pushed to a gateway without its acknowledgement. */
export const PUSH_WINDOW: number = 16 << 20;

/** What QoS 0 may take of that: beyond it QoS 0 is dropped. */
export const QOS0_WINDOW: number = 4 << 20;

/** What dispatches of QoS ≥ 1 may take without credit; beyond it the link ends. */
export const DISPATCH_LIMIT: number = 16 << 20;

/** Requests on a link that wait for their answer. */
export const MAX_REQUESTS: number = 1 << 14;

/** Between two questions for counts, ms. */
export const COUNTS_AGE = 500;

/** Until a link that broke, or was refused, is tried again, ms; it doubles, and up to half is cut off at random. */
export const FIRST_PAUSE = 20;
export const LONGEST_PAUSE = 1_000;
