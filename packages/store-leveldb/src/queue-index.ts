import type { Offset } from "@canopy/store";

/** Numbers per run in {@link QueueIndex.runs}. */
export const RUN = 6;
/** Positions within a run: segment id; chunk and place there; messages; bytes; ends. */
export const SEGMENT = 0;
export const PLACE = 1;
export const MESSAGES = 2;
export const BYTES = 3;
export const FIRST = 4;
export const LAST = 5;

/**
 * Where a queue's messages are: runs in sealed segments, described in memory and read when needed,
 * then the entries of the unsealed tail. Plain numbers, no object per message: a queue costs about
 * 300 bytes and its name, a message in the tail 16 bytes, a run 48 bytes (of up to RUN_LENGTH
 * messages). One that holds nothing is kept for as long
 * as ShardState.queues says.
 */
export class QueueIndex {
  readonly name: string;
  /** Pairs: offset, and the bytes of all messages ever pushed here up to this one. Ascending. */
  entries: number[] = [];
  /** Where the first pair that has not been taken out begins. */
  start: number = 0;
  /** Bytes up to the last message taken out. */
  base: number = 0;
  /** Oldest first; see the positions above. */
  runs: number[] = [];
  /** Everything up to here has left the queue, or was never in it. */
  floor: Offset = 0;
  /** Whether messages have been trimmed since it came into being. */
  trimmed: boolean = false;
  /** The tail segment that has this queue among its touched ones already. */
  touched: number = 0;
  /** Listed for its floor to be written. */
  dirty: boolean = false;

  constructor(name: string) {
    this.name = name;
  }

  get tailMessages(): number {
    return (this.entries.length - this.start) / 2;
  }

  get messages(): number {
    return this.sealed().messages + this.tailMessages;
  }

  get tailBytes(): number {
    return this.total - this.base;
  }

  /** Bytes ever pushed. */
  get total(): number {
    return this.entries.length === 0
      ? this.base
      : (this.entries[this.entries.length - 1] as number);
  }

  get isEmpty(): boolean {
    return this.runs.length === 0 && this.start === this.entries.length;
  }

  push(offset: Offset, size: number): void {
    const { entries } = this;
    // A literal of two: an empty array would take room for 17 numbers at the first push.
    if (entries.length === 0) this.entries = [offset, this.base + size];
    else entries.push(offset, (entries[entries.length - 1] as number) + size);
  }

  /** Position in `entries` of the first message above this offset. */
  above(offset: Offset): number {
    const { entries } = this;
    let low = this.start / 2;
    let high = entries.length / 2;
    if (low < high && (entries[low * 2] as number) > offset) return low * 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((entries[middle * 2] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }

  /** Bytes of the messages before this position in `entries` that are still there. */
  bytesBefore(position: number): number {
    return position === this.start ? 0 : (this.entries[position - 1] as number) - this.base;
  }

  /** Takes the entries up to this offset out: it was trimmed, or they are in a run now. */
  cut(upTo: Offset): void {
    const position = this.above(upTo);
    if (position === this.start) return;
    this.trimmed ||= upTo <= this.floor;
    this.base = this.entries[position - 1] as number;
    this.start = position;
    const { length } = this.entries;
    if (position === length) {
      this.entries = [];
      this.start = 0;
    } else if (position > 64 && position * 2 > length) {
      this.entries = this.entries.slice(position);
      this.start = 0;
    }
  }

  /** Messages and bytes in sealed segments. */
  sealed(): { messages: number; bytes: number } {
    let messages = 0;
    let bytes = 0;
    for (let at = 0; at < this.runs.length; at += RUN) {
      messages += this.runs[at + MESSAGES] as number;
      bytes += this.runs[at + BYTES] as number;
    }
    return { messages, bytes };
  }

  first(): Offset {
    return this.runs.length > 0 ? (this.runs[FIRST] as number) : (this.entries[this.start] ?? 0);
  }

  last(): Offset {
    if (this.start < this.entries.length) return this.entries[this.entries.length - 2] as number;
    return this.runs.length > 0 ? (this.runs[this.runs.length - RUN + LAST] as number) : 0;
  }
}
