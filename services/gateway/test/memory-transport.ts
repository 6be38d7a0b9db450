import { type Random, randomInt } from "@canopy/base";
import type { Transport, TransportHandler } from "../src/transport.ts";

/** The client's side of a {@link MemoryTransport}. */
export interface Peer {
  data(bytes: Buffer): void;
  closed(): void;
}

/**
 * A network connection without a network. Bytes arrive in a later turn, as they do from a socket,
 * and in pieces where there is randomness to cut them. It takes the contract at its word: a chunk is
 * spoiled when the handler has had it, and what a slow client has not taken is read only then.
 */
export class MemoryTransport implements Transport {
  readonly remoteAddress = "192.0.2.1";
  readonly listener = "memory";
  readonly #random: Random | undefined;
  #handler: TransportHandler | undefined = undefined;
  #peer: Peer | undefined = undefined;
  /** Taken by the network at once, and not delivered yet. */
  #out: Buffer[] = [];
  /** Not taken: the broker's own memory. */
  #held: Buffer[] = [];
  #in: Buffer[] = [];
  #slow = false;
  #paused = false;
  #closed = false;
  #isDue = false;
  /** How much has been written in how many calls. */
  writes = 0;
  bytes = 0;

  constructor(random?: Random) {
    this.#random = random;
  }

  attach(handler: TransportHandler, peer: Peer): void {
    this.#handler = handler;
    this.#peer = peer;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  // --- the broker's side ------------------------------------------------------------------------

  get backlog(): number {
    return this.#held.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  write(bytes: Buffer): void {
    if (this.#closed) return;
    this.writes++;
    this.bytes += bytes.length;
    if (this.#slow || this.#held.length > 0) this.#held.push(bytes);
    else this.#out.push(Buffer.from(bytes));
    this.#wake();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  end(): void {
    this.#close("");
  }

  destroy(): void {
    this.#out = [];
    this.#close("");
  }

  // --- the client's side ------------------------------------------------------------------------

  /** The network takes nothing more until it is told to; then all that waited goes out. */
  set slow(slow: boolean) {
    this.#slow = slow;
    this.#wake();
  }

  send(bytes: Buffer): void {
    if (this.#closed) return;
    this.#in.push(Buffer.from(bytes));
    this.#wake();
  }

  /** The connection breaks: what was under way either way is lost. */
  drop(): void {
    this.#in = [];
    this.#out = [];
    this.#close("ECONNRESET");
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = [];
    setImmediate(() => {
      this.#deliver();
      this.#handler?.closed(reason);
      this.#peer?.closed();
    });
  }

  #wake(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#deliver();
      if (!this.#closed) this.#receive();
    });
  }

  #deliver(): void {
    const drained = !this.#slow && this.#held.length > 0;
    if (drained) this.#out.push(...this.#held.splice(0).map((bytes) => Buffer.from(bytes)));
    for (const bytes of this.#out.splice(0)) this.#peer?.data(bytes);
    if (drained && !this.#closed) this.#handler?.drained();
  }

  #receive(): void {
    while (this.#in.length > 0 && !this.#paused && !this.#closed) {
      const bytes = Buffer.concat(this.#in.splice(0));
      const size =
        this.#random === undefined ? bytes.length : 1 + randomInt(this.#random, bytes.length);
      if (size < bytes.length) this.#in.push(bytes.subarray(size));
      const chunk = Buffer.from(bytes.subarray(0, size));
      this.#handler?.data(chunk);
      chunk.fill(0xee);
    }
  }
}
