import type { Counters } from "./counters.ts";
import type { Transport } from "./transport.ts";

/** Size of the pieces in which packets are gathered, in bytes. */
export const CHUNK: number = 16 * 1024;
/**
 * Size of the first piece of a turn. Most sockets get one packet in a turn, and where thousands get
 * one each, touching 16 KiB for each of them costs more than sending it.
 */
const SMALL = 1024;
const KEPT_CHUNKS = 1024;
const KEPT_SMALL = 16 * 1024;

/** Chunks for all connections of a process: in use only between a turn's first byte and its end. */
export class ChunkPool {
  readonly #free: Buffer[] = [];
  readonly #small: Buffer[] = [];

  /** One with room for so many bytes, at most {@link CHUNK}. */
  take(size: number): Buffer {
    if (size <= SMALL) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
  }

  give(chunk: Buffer): void {
    if (chunk.length === SMALL) {
      if (this.#small.length < KEPT_SMALL) this.#small.push(chunk);
    } else if (this.#free.length < KEPT_CHUNKS) {
      this.#free.push(chunk);
    }
  }
}

/** Packets on their way to one socket: gathered during a turn, written once at its end. */
export class Output {
  /** Where the next bytes go, after `reserve`. */
  at = 0;
  readonly #transport: Transport;
  readonly #pool: ChunkPool;
  readonly #counters: Counters;
  #chunk: Buffer | undefined = undefined;
  /** A chunk that the operating system has not taken whole. */
  #lent: Buffer | undefined = undefined;
  /** Whether anything may leave now. */
  #mayLeave: () => boolean;
  /** What may not leave, whole packets in their order. */
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(
    transport: Transport,
    pool: ChunkPool,
    counters: Counters,
    mayLeave: () => boolean = () => true,
  ) {
    this.#transport = transport;
    this.#pool = pool;
    this.#counters = counters;
    this.#mayLeave = mayLeave;
  }

  /** A buffer with room for so many bytes (at most {@link CHUNK}) from `at` on; advance `at`. */
  reserve(size: number): Buffer {
    const chunk = this.#chunk;
    if (chunk !== undefined && this.at + size <= chunk.length) return chunk;
    return this.#next(size);
  }

  /** Puts bytes behind what was written so far; they may not be changed any more. */
  append(bytes: Buffer): void {
    if (bytes.length > CHUNK) {
      this.flush();
      this.#leave(bytes, this.#isClosed());
      return;
    }
    const chunk = this.reserve(bytes.length);
    bytes.copy(chunk, this.at);
    this.at += bytes.length;
  }

  /** A packet in two parts: what is held back, or leaves, is both. */
  appendBoth(head: Buffer, rest: Buffer): void {
    this.append(head);
    this.flush();
    this.#leave(rest, this.isHeld);
  }

  /** Bytes that have not left yet. */
  get pending(): number {
    return this.at + this.#heldBytes + this.#transport.backlog;
  }

  /** Something may not leave. */
  get isHeld(): boolean {
    return this.#held.length > 0;
  }

  /** It may now. */
  letGo(): void {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const bytes of held) this.#leave(bytes, false);
  }

  /** What has not left never does; what comes from here on leaves. */
  discard(): void {
    this.at = 0;
    this.#held = [];
    this.#heldBytes = 0;
    this.#mayLeave = () => true;
  }

  flush(): void {
    const chunk = this.#chunk;
    if (chunk === undefined) return;
    const bytes = chunk.subarray(0, this.at);
    this.#chunk = undefined;
    this.at = 0;
    const isClosed = this.#isClosed();
    if (isClosed || this.#transport.backlog > 0) {
      // a slow reader: what waits for it must not hold chunks that are mostly empty
      this.#leave(Buffer.from(bytes), isClosed);
      this.#pool.give(chunk);
      return;
    }
    this.#counters.bytesSent += bytes.length;
    this.reclaim();
    this.#transport.write(bytes);
    if (this.#transport.backlog === 0) this.#pool.give(chunk);
    else this.#lent = chunk;
  }

  /** The backlog is empty: lent memory is ours again. */
  reclaim(): void {
    if (this.#lent === undefined) return;
    this.#pool.give(this.#lent);
    this.#lent = undefined;
  }

  /** In their order: nothing passes what is held. */
  #isClosed(): boolean {
    return this.isHeld || !this.#mayLeave();
  }

  #leave(bytes: Buffer, isClosed: boolean): void {
    if (isClosed) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
    } else {
      this.#counters.bytesSent += bytes.length;
      this.#transport.write(bytes);
    }
  }

  #next(size: number): Buffer {
    const before = this.#chunk;
    if (before !== undefined && this.at + size <= CHUNK) {
      const larger = this.#pool.take(CHUNK);
      before.copy(larger, 0, 0, this.at);
      this.#pool.give(before);
      this.#chunk = larger;
      return larger;
    }
    this.flush();
    const chunk = this.#pool.take(size);
    this.#chunk = chunk;
    return chunk;
  }
}
