/** Defaults of both sides. */

/** A peer that says nothing is asked after so many ms, and given up so many ms later. */
export const KEEPALIVE_MS = 5_000;
export const KEEPALIVE_TIMEOUT_MS = 3_000;

/** Of one gRPC message, in bytes. */
export const MAX_MESSAGE_BYTES: number = 64 << 20;

/** What one stream may have unacknowledged, in bytes. */
export const WINDOW_BYTES: number = 1 << 20;

/**
 * Of HTTP/2, per stream and connection, for what a channel receives: above the windows of streams,
 * which are what holds a sender up. A server of grpc-js has 64 KiB, which its streams never leave full.
 */
export const HTTP2_WINDOW_BYTES: number = 8 << 20;

/** A call without a deadline of its own. */
export const DEADLINE_MS = 5_000;

/** How long a server that stops waits for calls that are under way. */
export const DRAIN_MS = 1_000;
/** … and then for what it has said to leave. */
export const FLUSH_MS = 100;

export const CONNECT_MS = 3_000;
export const FIRST_BACKOFF_MS = 50;
export const LONGEST_BACKOFF_MS = 2_000;
