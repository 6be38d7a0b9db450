import { AckScan } from "./ack.ts";
import { decodeAuth } from "./auth.ts";
import { EMPTY, u8 } from "./bytes.ts";
import { decodeConnect, refusalVersion } from "./connect.ts";
import { decodeDisconnect } from "./disconnect.ts";
import type { ClientPacket, Version } from "./packets.ts";
import { PublishScan } from "./publish.ts";
import { MalformedPacket, malformed, protocolError, REASON } from "./reason.ts";
import { decodeSubscribe } from "./subscribe.ts";
import { decodeUnsubscribe } from "./unsubscribe.ts";
import type { PacketSink } from "./views.ts";

/** First room for a packet of which only the beginning has come. */
const FIRST_ROOM = 1024;
/** Type and four bytes of remaining length. */
const LONGEST_HEADER = 5;

const DUP = 8;
/** Flags of a PUBREL, SUBSCRIBE or UNSUBSCRIBE of MQTT 3.1 that is sent again. */
const REPEATED = DUP | 2;

/**
 * Bytes of one connection to packets. Chunks may cut and join packets anywhere; nothing of a chunk
 * is used after the call it came with. Throws MalformedPacket, after which the decoder is done for.
 */
export class Decoder {
  /** Of the CONNECT packet; 0 until it came. */
  version: Version | 0 = 0;
  /** After an error in CONNECT: the version in which it can be told; 0 if there is none. */
  refusalVersion: Version | 0 = 0;
  /** Set by the sink to be told of nothing more until `resume`. */
  paused = false;
  /** Packets so far; whoever counts may set it back. */
  packets = 0;

  readonly #maxPacketSize: number;
  /** Made when needed: many clients only ever receive. */
  #publish: PublishScan | undefined = undefined;
  #ack: AckScan | undefined = undefined;
  /** The beginning of a packet whose end has not come; filled up to `#partialLength`. */
  #partial: Buffer = EMPTY;
  #partialLength = 0;
  /** What came behind the packet at which the sink paused. */
  #rest: Buffer[] = [];
  #restLength = 0;
  /** Found by `#header` in the packet at hand: where its body starts, and its end. */
  #body = 0;
  #end = 0;

  constructor(options: { readonly maxPacketSize: number }) {
    this.#maxPacketSize = options.maxPacketSize;
  }

  /** Bytes held back: of an unfinished packet, and since a pause. */
  get buffered(): number {
    return this.#partialLength + this.#restLength;
  }

  /** Tells the sink of the packets that this chunk ends. */
  decode(chunk: Buffer, sink: PacketSink): void {
    if (this.paused || this.#restLength > 0) {
      this.#keep(chunk, 0, false);
      if (!this.paused) this.resume(sink);
      return;
    }
    const at = this.#partialLength > 0 ? this.#complete(chunk, sink) : 0;
    this.#scan(chunk, at, sink, false);
  }

  /** Ends a pause; the sink may pause again during the call. */
  resume(sink: PacketSink): void {
    this.paused = false;
    if (this.#restLength === 0) return;
    const [first = EMPTY, ...more] = this.#rest;
    const chunk = more.length === 0 ? first : Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restLength = 0;
    const at = this.#partialLength > 0 ? this.#complete(chunk, sink) : 0;
    this.#scan(chunk, at, sink, true);
  }

  /**
   * Decodes the complete packets from `at` on in place and puts the remainder aside. `own`: the
   * chunk is this decoder's already, and a pause need not copy it again.
   */
  #scan(chunk: Buffer, at: number, sink: PacketSink, own: boolean): void {
    at = this.#scanWhole(chunk, at, sink);
    // An idle connection must not hold on to the last chunk it sent.
    if (this.#publish !== undefined) this.#publish.buffer = EMPTY;
    if (at === chunk.length) return;
    if (this.paused) this.#keep(chunk, at, own);
    else this.#begin(chunk, at);
  }

  /** Decodes complete packets; returns the end of the last one. */
  #scanWhole(chunk: Buffer, at: number, sink: PacketSink): number {
    const length = chunk.length;
    while (at < length && !this.paused && this.#header(chunk, at, length)) {
      const end = this.#end;
      if (end > length) break;
      this.#dispatch(chunk, at, this.#body, end, sink);
      at = end;
    }
    return at;
  }

  /**
   * Reads the fixed header (2.1.1) at `at`; false if its end has not come. The size is checked
   * here, before anything is kept.
   */
  #header(bytes: Buffer, at: number, available: number): boolean {
    // What speaks another protocol is not waited for.
    if (this.version === 0 && u8(bytes, at) >> 4 !== 1) {
      throw protocolError("the first packet is not CONNECT [MQTT-3.1.0-1]");
    }
    let next = at + 1;
    if (next >= available) return false;
    let byte = u8(bytes, next++);
    let remaining = byte & 127;
    for (let shift = 7; byte > 127; shift += 7) {
      if (shift > 21) throw malformed("the remaining length has more than four bytes");
      if (next >= available) return false;
      byte = u8(bytes, next++);
      remaining |= (byte & 127) << shift;
      if (byte === 0 && this.version === 5) {
        throw malformed("the remaining length is longer than needed [MQTT-1.5.5-1]");
      }
    }
    this.#body = next;
    this.#end = next + remaining;
    if (this.#end - at > this.#maxPacketSize) {
      throw new MalformedPacket(REASON.packetTooLarge, `a packet of ${this.#end - at} bytes`);
    }
    return true;
  }

  /** Puts aside the beginning of a packet. */
  #begin(chunk: Buffer, at: number): void {
    const length = chunk.length - at;
    const whole = this.#header(chunk, at, chunk.length) ? this.#end - at : LONGEST_HEADER;
    this.#partial = Buffer.allocUnsafe(Math.max(length, Math.min(whole, FIRST_ROOM)));
    chunk.copy(this.#partial, 0, at);
    this.#partialLength = length;
  }

  /** Fills up the unfinished packet and decodes it if it is whole; returns what of chunk is used. */
  #complete(chunk: Buffer, sink: PacketSink): number {
    let at = 0;
    while (!this.#header(this.#partial, 0, this.#partialLength)) {
      if (at === chunk.length) return at;
      this.#partial[this.#partialLength++] = u8(chunk, at++);
    }
    const whole = this.#end;
    const taken = Math.min(whole - this.#partialLength, chunk.length - at);
    this.#reserve(this.#partialLength + taken, whole);
    chunk.copy(this.#partial, this.#partialLength, at, at + taken);
    this.#partialLength += taken;
    if (this.#partialLength < whole) return at + taken;
    const packet = this.#partial;
    this.#partial = EMPTY;
    this.#partialLength = 0;
    this.#dispatch(packet, 0, this.#body, whole, sink);
    return at + taken;
  }

  /** Makes room for `needed` bytes: twice as much as there was, but not more than `most`. */
  #reserve(needed: number, most: number): void {
    if (needed <= this.#partial.length) return;
    const room = Math.max(needed, Math.min(most, this.#partial.length * 2));
    const grown = Buffer.allocUnsafe(room);
    this.#partial.copy(grown, 0, 0, this.#partialLength);
    this.#partial = grown;
  }

  #keep(chunk: Buffer, at: number, own: boolean): void {
    if (at === chunk.length) return;
    const rest = chunk.subarray(at);
    this.#rest.push(own ? rest : Buffer.from(rest));
    this.#restLength += chunk.length - at;
  }

  /** Decodes one complete packet. */
  #dispatch(bytes: Buffer, start: number, body: number, end: number, sink: PacketSink): void {
    this.packets++;
    const first = u8(bytes, start);
    const type = first >> 4;
    const version = this.version;
    if (type === 3 && version !== 0) {
      const publish = (this.#publish ??= new PublishScan());
      publish.read(bytes, first & 15, body, end, version === 5);
      sink.publish(publish);
      return;
    }
    checkFlags(type, first & 15, version);
    if (type === 1) {
      this.refusalVersion = refusalVersion(bytes, body, end);
      const connect = decodeConnect(bytes, start, body, end);
      this.refusalVersion = 0;
      this.version = connect.version;
      sink.packet(connect);
      return;
    }
    if (type === 4 || type === 5 || type === 6 || type === 7) {
      const ack = (this.#ack ??= new AckScan());
      ack.read(bytes, type, body, end, version === 5);
      sink.ack(ack);
      return;
    }
    if ((first & 15) === REPEATED) {
      // mqtt-packet knows only the flags of later versions.
      bytes = Buffer.from(bytes.subarray(start, end));
      bytes[0] = first & ~DUP;
      body -= start;
      end -= start;
      start = 0;
    }
    sink.packet(decodeOther(type, bytes, start, body, end, version as Version));
  }
}

/**
 * Table 2-2: the flags of all types but PUBLISH are reserved [MQTT-2.1.3-1]. Only in MQTT 3.1 a
 * PUBREL, SUBSCRIBE or UNSUBSCRIBE that is sent again may say so by DUP.
 */
function checkFlags(type: number, flags: number, version: Version | 0): void {
  const wanted = type === 6 || type === 8 || type === 10 ? 2 : 0;
  if (flags === wanted || type === 3) return;
  if (version === 3 && wanted === 2 && flags === REPEATED) return;
  throw malformed(`packet type ${type}: reserved flags [MQTT-2.1.3-1]`);
}

function decodeOther(
  type: number,
  bytes: Buffer,
  start: number,
  body: number,
  end: number,
  version: Version,
): ClientPacket {
  switch (type) {
    case 8:
      return decodeSubscribe(bytes, start, body, end, version);
    case 10:
      return decodeUnsubscribe(bytes, start, body, end, version);
    case 12:
      if (body !== end) throw malformed("PINGREQ: not empty");
      return { type: "pingreq" };
    case 14:
      return decodeDisconnect(bytes, start, body, end, version);
    case 15:
      if (version === 5) return decodeAuth(bytes, start, body, end);
      throw malformed("packet type 15 is forbidden before MQTT 5");
    case 0:
      throw malformed("packet type 0 is forbidden");
    default:
      throw protocolError(`packet type ${type} from a client`);
  }
}
