/** What a client is told of the packets that a broker sends. Nothing of `bytes` is kept. */
export interface ServerPackets {
  /** `first`: the packet's first byte; `packetId` is 0 at QoS 0. */
  publish(bytes: Buffer, first: number, packetId: number, payload: number, end: number): void;
  /** A PUBACK (4), PUBREC (5), PUBREL (6) or PUBCOMP (7). */
  ack(type: number, packetId: number, reasonCode: number): void;
  /** Any other packet; its body is from `body` to `end`. */
  other(type: number, bytes: Buffer, body: number, end: number): void;
}

const LONGEST_HEADER = 5;
const EMPTY = Buffer.alloc(0);

/**
 * The bytes that one client receives, as packets, scanned in place. The codec reads what clients
 * send; this is the other direction, and for a checker it is good to share nothing with the broker.
 */
export class Scanner {
  readonly #v5: boolean;
  /** The beginning of a packet whose end has not come. */
  #partial: Buffer = EMPTY;
  #partialLength = 0;
  /** Set by `#header`. */
  #body = 0;

  constructor(v5: boolean) {
    this.#v5 = v5;
  }

  scan(chunk: Buffer, length: number, to: ServerPackets): void {
    let at = this.#partialLength > 0 ? this.#complete(chunk, length, to) : 0;
    while (at < length) {
      const end = this.#header(chunk, at, length);
      if (end < 0 || end > length) {
        this.#keep(chunk, at, length, end - at);
        return;
      }
      this.#packet(chunk, at, end, to);
      at = end;
    }
  }

  /** The end of the packet at `at`; -1 if its fixed header is not complete. */
  #header(bytes: Buffer, at: number, length: number): number {
    let next = at + 1;
    let remaining = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (next >= length) return -1;
      const byte = bytes[next++] as number;
      remaining |= (byte & 127) << shift;
      if (byte < 128) {
        this.#body = next;
        return next + remaining;
      }
    }
    throw new Error("a remaining length of more than four bytes");
  }

  #keep(chunk: Buffer, at: number, length: number, whole: number): void {
    const have = length - at;
    if (this.#partial.length < Math.max(whole, LONGEST_HEADER)) {
      this.#partial = Buffer.allocUnsafeSlow(Math.max(whole, 256));
    }
    chunk.copy(this.#partial, 0, at, length);
    this.#partialLength = have;
  }

  /** Adds to the unfinished packet; returns how much of the chunk it took. */
  #complete(chunk: Buffer, length: number, to: ServerPackets): number {
    let at = 0;
    let end = this.#header(this.#partial, 0, this.#partialLength);
    while (end < 0 && at < length) {
      this.#partial[this.#partialLength++] = chunk[at++] as number;
      end = this.#header(this.#partial, 0, this.#partialLength);
    }
    if (end < 0) return at;
    if (this.#partial.length < end) {
      const grown = Buffer.allocUnsafeSlow(end);
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    const taken = Math.min(end - this.#partialLength, length - at);
    chunk.copy(this.#partial, this.#partialLength, at, at + taken);
    this.#partialLength += taken;
    if (this.#partialLength < end) return at + taken;
    const packet = this.#partial;
    this.#partialLength = 0;
    this.#packet(packet, 0, end, to);
    // An idle connection keeps nothing.
    this.#partial = EMPTY;
    return at + taken;
  }

  #packet(bytes: Buffer, start: number, end: number, to: ServerPackets): void {
    const first = bytes[start] as number;
    const type = first >> 4;
    const body = this.#body;
    if (type === 3) {
      this.#publish(bytes, first, body, end, to);
    } else if (type >= 4 && type <= 7) {
      const packetId = ((bytes[body] as number) << 8) | (bytes[body + 1] as number);
      to.ack(type, packetId, end > body + 2 ? (bytes[body + 2] as number) : 0);
    } else {
      to.other(type, bytes, body, end);
    }
  }

  #publish(bytes: Buffer, first: number, body: number, end: number, to: ServerPackets): void {
    let at = body + 2 + (((bytes[body] as number) << 8) | (bytes[body + 1] as number));
    let packetId = 0;
    if ((first & 6) !== 0) {
      packetId = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      at += 2;
    }
    if (this.#v5) {
      let properties = 0;
      for (let shift = 0; shift <= 21; shift += 7) {
        const byte = bytes[at++] as number;
        properties |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      at += properties;
    }
    to.publish(bytes, first, packetId, at, end);
  }
}
