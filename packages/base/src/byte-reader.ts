import { DecodeError } from "./errors.ts";

/** Reads what a ByteWriter wrote. Each method throws a DecodeError rather than pass the end. */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #position: number;

  constructor(buffer: Buffer, start: number = 0, end: number = buffer.length) {
    if (start < 0 || start > end || end > buffer.length) throw new DecodeError("no such range");
    this.#buffer = buffer;
    this.#position = start;
    this.#end = end;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] as number;
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#advance(4));
  }

  u64(): number {
    const high = this.u32();
    return requireSafe(high * 2 ** 32 + this.u32());
  }

  f64(): number {
    return this.#buffer.readDoubleBE(this.#advance(8));
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw new DecodeError(`not a boolean: ${value}`);
    return value === 1;
  }

  /** Accepts the shortest encoding only, so equal values have equal bytes. */
  varint(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let byte = first;
    for (let scale = 128; byte > 0x7f; scale *= 128) {
      // 2^49 is the weight of the eighth and last byte.
      if (scale > 2 ** 49) throw new DecodeError("varint too long");
      byte = this.u8();
      value += (byte & 0x7f) * scale;
    }
    if (byte === 0) throw new DecodeError("varint not in its shortest form");
    return requireSafe(value);
  }

  /** A view: it shares the memory of the reader's buffer. */
  bytes(): Buffer {
    return this.raw(this.varint());
  }

  string(): string {
    const size = this.varint();
    const start = this.#advance(size);
    return this.#buffer.toString("utf8", start, start + size);
  }

  /** A view of the next bytes: it shares the memory of the reader's buffer. */
  raw(size: number): Buffer {
    const start = this.#advance(size);
    return this.#buffer.subarray(start, start + size);
  }

  skip(size: number): void {
    this.#advance(size);
  }

  /** For formats in which more bytes than expected mean that something is wrong. */
  expectEnd(): void {
    if (this.remaining > 0) throw new DecodeError(`${this.remaining} bytes too many`);
  }

  /** Returns the position before the step. */
  #advance(size: number): number {
    const start = this.#position;
    if (size > this.#end - start) {
      throw new DecodeError(`${size} bytes wanted, ${this.remaining} left`);
    }
    this.#position = start + size;
    return start;
  }
}

function requireSafe(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError("integer beyond 2^53 - 1");
  return value;
}
