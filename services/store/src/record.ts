/** What the hot path reads of a record without parsing it (codec's record.ts has the layout). */
const FLAGS = 1;
const QOS_BITS = 3;
const RETAIN_BIT = 4;

export function flagsOf(bytes: Uint8Array, start: number): number {
  return bytes[start + FLAGS] as number;
}

export function qosOf(flags: number): number {
  return flags & QOS_BITS;
}

export function isRetained(flags: number): boolean {
  return (flags & RETAIN_BIT) !== 0;
}
