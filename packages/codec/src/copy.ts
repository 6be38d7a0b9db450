// The global `Buffer` is a getter, which a call for each message would pay for.
import { Buffer } from "node:buffer";

/** Below this a loop is faster than a call into native code. */
const SHORT = 40;

const { copy } = Buffer.prototype;

/** Copies `source[start … end)` to `out` at `at`; returns the end there. Does not check. */
export function copyBytes(
  source: Uint8Array,
  start: number,
  end: number,
  out: Buffer,
  at: number,
): number {
  if (end - start < SHORT) {
    while (start < end) out[at++] = source[start++] as number;
    return at;
  }
  // Buffer's copy takes any bytes; `set` would need a view of the source.
  copy.call(source, out, at, start, end);
  return at + end - start;
}
