const FIRST_CAPACITY = 256;
/** One large message must not keep its memory in a writer that lives on. */
const KEPT_CAPACITY = 1 << 20;
/** Below this a loop is faster than a call into native code. */
const SHORT = 32;
const LONGEST_VARINT = 8;

/** Appends values to a growing buffer; numbers are big-endian, so byte order is number order. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity: number = FIRST_CAPACITY) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(capacity, LONGEST_VARINT));
  }

  /** Bytes written since the last reset: also the position of the next one, for the patches. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.patchU16(this.#length, value);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.patchU32(this.#length, value);
    this.#length += 4;
  }

  /** A safe integer ≥ 0 in eight bytes. */
  u64(value: number): void {
    requireSafe(value);
    this.u32(Math.floor(value / 2 ** 32));
    this.u32(value >>> 0);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#buffer.writeDoubleBE(value, this.#length);
    this.#length += 8;
  }

  bool(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  /** Unsigned LEB128 of a safe integer ≥ 0: 1 to 8 bytes. */
  varint(value: number): void {
    requireSafe(value);
    this.#reserve(LONGEST_VARINT);
    const buffer = this.#buffer;
    let at = this.#length;
    let rest = value;
    // Bit operations see 32 bits only; above them divide.
    for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80;
    buffer[at++] = rest;
    this.#length = at;
  }

  /** A varint length, then the bytes. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** A varint length in bytes, then UTF-8. Lone surrogates, which have none, become U+FFFD. */
  string(value: string): void {
    if (value.length <= SHORT && this.#shortAscii(value)) return;
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.#reserve(size);
    this.#buffer.write(value, this.#length, size, "utf8");
    this.#length += size;
  }

  /** The bytes alone. */
  raw(value: Uint8Array, start: number = 0, end: number = value.length): void {
    const size = end - start;
    this.#reserve(size);
    if (size <= SHORT) {
      for (let i = 0; i < size; i++) this.#buffer[this.#length + i] = value[start + i] as number;
    } else {
      const whole = start === 0 && end === value.length;
      this.#buffer.set(whole ? value : value.subarray(start, end), this.#length);
    }
    this.#length += size;
  }

  /** Leaves room to be patched later (its content is void until then); returns its position. */
  gap(size: number): number {
    this.#reserve(size);
    const at = this.#length;
    this.#length += size;
    return at;
  }

  patchU8(at: number, value: number): void {
    this.#buffer[at] = value;
  }

  patchU16(at: number, value: number): void {
    this.#buffer[at] = value >>> 8;
    this.#buffer[at + 1] = value;
  }

  patchU32(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
  }

  /** What was written, without a copy: valid until the next write or reset. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** A copy of what was written, and a reset. */
  take(): Buffer {
    const copy = Buffer.from(this.view());
    this.reset();
    return copy;
  }

  reset(): void {
    this.#length = 0;
    if (this.#buffer.length > KEPT_CAPACITY) this.#buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  }

  /** False, with nothing written, for anything but ASCII. */
  #shortAscii(value: string): boolean {
    const size = value.length;
    this.#reserve(size + 1);
    const buffer = this.#buffer;
    const at = this.#length;
    for (let i = 0; i < size; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      buffer[at + 1 + i] = code;
    }
    buffer[at] = size;
    this.#length = at + 1 + size;
    return true;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.view());
    this.#buffer = grown;
  }
}

function requireSafe(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`not an integer in [0, 2^53): ${value}`);
  }
}
