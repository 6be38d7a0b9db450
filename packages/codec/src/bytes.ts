import { isUtf8 } from "node:buffer";
import { malformed } from "./reason.ts";

// Small readers of the wire's data types (section 1.5). Callers of the unchecked ones have made
// sure that the bytes are there.

export const EMPTY: Buffer = Buffer.alloc(0);

/** Most bytes that a string of the wire or binary data can have. */
export const MAX_U16 = 65_535;
const MAX_VARINT = 268_435_455;

export function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

export function u16(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at) << 8) | u8(bytes, at + 1);
}

export function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x1_00_00 + u16(bytes, at + 2);
}

export function u48(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x1_00_00_00_00 + u32(bytes, at + 2);
}

export function putU16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 8;
  out[at + 1] = value;
}

export function putU32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

/** Bytes that a value takes as a Variable Byte Integer (1.5.5). */
export function varintSize(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

/** Writes a Variable Byte Integer in as few bytes as can be [MQTT-1.5.5-1]; returns its end. */
export function putVarint(out: Uint8Array, at: number, value: number): number {
  if (value > MAX_VARINT) throw new RangeError(`${value} is no variable byte integer`);
  while (value > 127) {
    out[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

/**
 * Reads a Variable Byte Integer. Its end is `at + varintSize(value)`, because one that is longer
 * than it needs to be is refused [MQTT-1.5.5-1].
 */
export function varint(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (at >= end) throw malformed("a variable byte integer is cut off");
    const byte = u8(bytes, at++);
    value |= (byte & 127) << shift;
    if (byte > 127) continue;
    if (byte === 0 && shift > 0) throw malformed("a variable byte integer is longer than needed");
    return value;
  }
  throw malformed("a variable byte integer has more than four bytes");
}

/** Whether the bytes are UTF-8 as [MQTT-1.5.4-1] and [MQTT-1.5.4-2] want it. */
export function validString(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = u8(bytes, at);
    if (byte === 0) return false;
    if (byte > 127) {
      const rest = bytes.subarray(at, end);
      return isUtf8(rest) && !rest.includes(0);
    }
  }
  return true;
}

/** Checks the UTF-8 Encoded String (1.5.4) that starts here with its length; returns its end. */
export function skipString(bytes: Uint8Array, at: number, end: number): number {
  const stop = skipBinary(bytes, at, end);
  if (!validString(bytes, at + 2, stop)) throw malformed("a string is not well-formed UTF-8");
  return stop;
}

/** Checks the Binary Data (1.5.6) that starts here with its length; returns its end. */
export function skipBinary(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 2) throw malformed("a length is cut off");
  const stop = at + 2 + u16(bytes, at);
  if (stop > end) throw malformed("a length goes beyond the packet");
  return stop;
}
