/**
 * A stream of opaque messages in both directions, with credit in bytes from end to end. What is said
 * in one turn of the event loop leaves as one frame (proto/canopy/stream/v1/frame.proto).
 *
 * A receiver reads whatever arrives and acknowledges a message when it has done with it. A sender
 * has at most the receiver's window of bytes unacknowledged, so nothing here buffers more than that,
 * and one slow stream never fills the window of HTTP/2 that it shares with others.
 */
import { Deque } from "@canopy/base";
import { RpcError } from "./errors.ts";
import type { Frame } from "./frame.ts";

/** What happens on a stream, in order. A handler that throws ends the stream. */
export interface StreamHandler {
  /** What the other side may have unacknowledged, in bytes; else what its server says. */
  readonly window?: number | undefined;
  /**
   * The next message and its number, from 1. The bytes stay valid. {@link RpcStream.acknowledge} it
   * sooner or later, or the sender runs out of credit.
   */
  onMessage(message: Buffer, number: number): void;
  /** The other side has done with everything up to this message. */
  onAcknowledged?(number: number): void;
  /** There is credit again, after a send that was refused. */
  onReady?(): void;
  /**
   * Once, and nothing after it: the other side, the connection, or an error has ended the stream;
   * undefined: the other side has closed it properly. Not called after {@link RpcStream.close} here.
   */
  onClosed(error: Error | undefined): void;
}

export interface RpcStream {
  /** Number of the last message that was sent; 0 before the first. */
  readonly sent: number;
  /** Up to here the other side has acknowledged. */
  readonly acknowledged: number;
  /** Bytes that were sent and are not acknowledged: what this stream may hold in memory. */
  readonly unacknowledgedBytes: number;
  readonly isClosed: boolean;
  /**
   * Takes a message if there is credit; its bytes must not change until the turn of the event loop
   * has ended. `false`: not taken; {@link StreamHandler.onReady} says when to try again.
   */
  send(message: Uint8Array): boolean;
  /**
   * The same without asking for credit and without using any: for marks, which are few by
   * themselves. `false`: the stream is closed.
   */
  sendMark(message: Uint8Array): boolean;
  /** Everything up to this message has been dealt with. */
  acknowledge(number: number): void;
  /** For who knows that nothing more comes in this turn: does not wait for its end. */
  flush(): void;
  /** Sends what was taken and ends the stream; with an error, at once. Idempotent. */
  close(error?: Error): void;
}

/** One side of a gRPC call. */
export interface FrameWire {
  /** Calls back when the frame has left, or never will. */
  write(frame: Frame, done: () => void): void;
  end(): void;
  fail(error: Error): void;
}

/** A frame takes no more messages than this, so that long ones leave piece by piece. */
const FRAME_BYTES: number = 256 << 10;

export class FrameStream implements RpcStream {
  readonly #wire: FrameWire;
  /** What this side allows the other. */
  #window: number;
  #handler: StreamHandler | undefined;
  #opening: Uint8Array | undefined;
  #announced = false;
  #isClosed = false;

  #sent = 0;
  #acknowledged = 0;
  /** What the other side allows this one. */
  #credit = 0;
  #unacknowledgedBytes = 0;
  /** What each unacknowledged message uses of the credit. */
  readonly #sizes = new Deque<number>();
  readonly #waiting = new Deque<Uint8Array>();
  #isRefused = false;

  #received = 0;
  #done = 0;
  #told = 0;

  #isScheduled = false;
  #isWriting = false;

  constructor(wire: FrameWire, window: number) {
    this.#wire = wire;
    this.#window = window;
  }

  get sent(): number {
    return this.#sent;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Of the caller's side: says what the stream is for. */
  open(opening: Uint8Array, handler: StreamHandler): void {
    this.#opening = opening;
    this.begin(handler);
  }

  /** Of the callee's side: it is taken. */
  begin(handler: StreamHandler): void {
    if (this.#isClosed) return;
    this.#handler = handler;
    this.#window = handler.window ?? this.#window;
    this.flush();
  }

  send(message: Uint8Array): boolean {
    if (this.#isClosed) return false;
    if (this.#unacknowledgedBytes >= this.#credit) {
      this.#isRefused = true;
      return false;
    }
    this.#take(message, message.length);
    return true;
  }

  sendMark(message: Uint8Array): boolean {
    if (this.#isClosed) return false;
    this.#take(message, 0);
    return true;
  }

  #take(message: Uint8Array, cost: number): void {
    this.#sent++;
    this.#unacknowledgedBytes += cost;
    this.#sizes.push(cost);
    this.#waiting.push(message);
    this.#schedule();
  }

  acknowledge(number: number): void {
    if (number <= this.#done) return;
    this.#done = Math.min(number, this.#received);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWriting) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#isWriting || this.#isClosed || this.#handler === undefined) return;
    if (!this.#hasNews()) return;
    this.#isWriting = true;
    this.#wire.write(this.#frame(), () => {
      this.#isWriting = false;
      this.flush();
    });
  }

  #hasNews(): boolean {
    return this.#waiting.size > 0 || this.#told < this.#done || !this.#announced;
  }

  #frame(isClosing: boolean = false): Frame {
    const first = this.#waiting.size === 0 ? 0 : this.#sent - this.#waiting.size + 1;
    const messages: Uint8Array[] = [];
    let size = 0;
    while (size < FRAME_BYTES) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      messages.push(message);
      size += message.length;
    }
    const opening = this.#announced ? undefined : this.#opening;
    const window = this.#announced ? 0 : this.#window;
    const acknowledged = this.#told < this.#done ? this.#done : 0;
    const last = isClosing && this.#waiting.size === 0;
    this.#announced = true;
    this.#told = this.#done;
    return { opening, window, acknowledged, first, messages, last };
  }

  /** A frame of the other side has come. */
  receive(frame: Frame): void {
    if (this.#isClosed) return;
    try {
      if (frame.window > 0) this.#credit = frame.window;
      if (frame.acknowledged > 0) this.#onAcknowledged(frame.acknowledged);
      this.#offerCredit();
      this.#onMessages(frame);
      if (frame.last) this.#onLast();
    } catch (error) {
      this.break(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onAcknowledged(number: number): void {
    if (number > this.#sent) throw new RpcError("internal", `acknowledges ${number}, not sent yet`);
    if (number <= this.#acknowledged) return;
    for (let left = number - this.#acknowledged; left > 0; left--) {
      this.#unacknowledgedBytes -= this.#sizes.shift() ?? 0;
    }
    this.#acknowledged = number;
    this.#handler?.onAcknowledged?.(number);
  }

  #offerCredit(): void {
    if (!this.#isRefused || this.#unacknowledgedBytes >= this.#credit) return;
    this.#isRefused = false;
    this.#handler?.onReady?.();
  }

  #onMessages({ first, messages }: Frame): void {
    if (messages.length === 0) return;
    if (this.#handler === undefined || first !== this.#received + 1) {
      throw new RpcError("internal", `message ${first} after ${this.#received}`);
    }
    for (const message of messages) {
      if (this.#isClosed) return;
      this.#received++;
      this.#handler.onMessage(message as Buffer, this.#received);
    }
  }

  #onLast(): void {
    if (this.#isClosed) return;
    this.ended(undefined);
    this.#wire.end();
  }

  /** The call has ended. */
  ended(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting.clear();
    this.#handler?.onClosed(error);
  }

  /** Ends it from this side, and tells the handlers of both. */
  break(error: Error): void {
    if (this.#isClosed) return;
    this.#wire.fail(error);
    this.ended(error);
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    if (error === undefined && this.#handler !== undefined) {
      for (let last = false; !last; ) {
        const frame = this.#frame(true);
        ({ last } = frame);
        this.#wire.write(frame, () => {});
      }
    }
    this.#isClosed = true;
    this.#waiting.clear();
    if (error === undefined) this.#wire.end();
    else this.#wire.fail(error);
  }
}
