/**
 * Every payload begins with a stamp: run, publisher, sequence, send time, and a check over them;
 * the rest is a pattern. All numbers are 32 bits, little-endian.
 */
export const STAMP_SIZE = 20;

/** Nonzero and not the same for two runs, so that a message of another run is seen as such. */
export type RunId = number;

const PATTERN = 0x5a;

const clockOffset = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

/** Microseconds of the system's monotonic clock, the same in all processes; wraps at 2^32. */
export function microseconds(): number {
  return (performance.now() * 1000 + clockOffset) >>> 0;
}

function mix(run: number, publisher: number, sequence: number, time: number): number {
  let h = run ^ Math.imul(publisher + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ sequence, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ time, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function put(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value & 255;
  bytes[at + 1] = (value >>> 8) & 255;
  bytes[at + 2] = (value >>> 16) & 255;
  bytes[at + 3] = value >>> 24;
}

function get(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** A payload with room for a stamp. */
export function blankPayload(size: number): Buffer {
  if (size < STAMP_SIZE) throw new Error(`a payload has at least ${STAMP_SIZE} bytes`);
  return Buffer.alloc(size, PATTERN);
}

export function writeStamp(
  bytes: Buffer,
  at: number,
  run: RunId,
  publisher: number,
  sequence: number,
  time: number,
): void {
  put(bytes, at, run);
  put(bytes, at + 4, publisher);
  put(bytes, at + 8, sequence);
  put(bytes, at + 12, time);
  put(bytes, at + 16, mix(run, publisher, sequence, time));
}

/** Reused for every message. */
export class Stamp {
  publisher = 0;
  sequence = 0;
  time = 0;

  /** False if the payload is not of this run and size, or was damaged. */
  read(bytes: Buffer, at: number, end: number, run: RunId, size: number): boolean {
    if (end - at !== size || get(bytes, at) !== run) return false;
    this.publisher = get(bytes, at + 4);
    this.sequence = get(bytes, at + 8);
    this.time = get(bytes, at + 12);
    if (get(bytes, at + 16) !== mix(run, this.publisher, this.sequence, this.time)) return false;
    return size === STAMP_SIZE || bytes[end - 1] === PATTERN;
  }
}
