/**
 * The calling side of requests on a stream: see canopy.stream.v1.Answer. The stream is opened for the
 * first request, and again for the first one after it has broken.
 */
import { Deque, systemTimers, type Timer, type Timers } from "@canopy/base";
import { SessionError } from "@canopy/session";
import type { RpcChannel } from "../channel.ts";
import { decodeMessage, type StreamMethod } from "../definition.ts";
import { RpcError } from "../errors.ts";
import { AnswerSchema } from "../gen/canopy/stream/v1/request_pb.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { fromFailure } from "./failure.ts";

export interface RequestsOptions {
  readonly channel: RpcChannel;
  readonly method: StreamMethod;
  /** What the next stream is for; with the next number of this caller. */
  readonly opening: () => Uint8Array;
  /** How long an answer may take, ms. */
  readonly deadline: number;
  /** What may wait for the other side's credit, in bytes; beyond it requests are refused. */
  readonly maxWaiting: number;
  readonly timers?: Timers | undefined;
}

interface Request {
  /** Its messages; made when there is credit for them. */
  readonly messages: Iterator<Uint8Array, undefined>;
  readonly bytes: number;
  /** What is sent next; undefined: it has been sent. */
  next: Uint8Array | undefined;
  /** Some of it may have reached the other side. */
  isSent: boolean;
  isSettled: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  timer: Timer | undefined;
}

export class Requests {
  readonly #options: RequestsOptions;
  readonly #waiting = new Deque<Request>();
  #waitingBytes = 0;
  /** Sent and not answered, by the number of their last message. */
  readonly #sent = new Map<number, Request>();
  #stream: RpcStream | undefined;
  #isOpening = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /**
   * Settles with the answer to a request of these messages, at least one; they are asked for later, one
   * by one.
   * @param bytes - about how long they are together.
   * @throws the other side's typed error, an RpcError that says whether it was `sent`, or a SessionError
   *   `overloaded`.
   */
  request(messages: Iterable<Uint8Array, undefined>, bytes: number): Promise<void> {
    const { maxWaiting, deadline, timers = systemTimers } = this.#options;
    if (this.#waiting.size > 0 && this.#waitingBytes + bytes > maxWaiting) {
      return Promise.reject(new SessionError("overloaded", "too much waits for the other side"));
    }
    return new Promise((resolve, reject) => {
      const iterator = messages[Symbol.iterator]();
      const request: Request = {
        messages: iterator,
        bytes,
        next: iterator.next().value,
        isSent: false,
        isSettled: false,
        resolve,
        reject,
        timer: undefined,
      };
      request.timer = timers.set(deadline, () => {
        settle(request, new RpcError("deadline", "no answer in time", { sent: request.isSent }));
      });
      this.#waiting.push(request);
      this.#waitingBytes += bytes;
      this.#send();
    });
  }

  #send(): void {
    if (this.#stream === undefined) {
      if (!this.#isOpening) void this.#open();
      return;
    }
    for (let request = this.#waiting.peek(); request; request = this.#waiting.peek()) {
      // Half of one would be taken for the beginning of the next.
      const isNeeded = !request.isSettled || request.isSent;
      if (isNeeded && !this.#sendOne(this.#stream, request)) return;
      this.#waiting.shift();
      this.#waitingBytes -= request.bytes;
    }
  }

  /** Whether all of it was taken. */
  #sendOne(stream: RpcStream, request: Request): boolean {
    while (request.next !== undefined) {
      if (!stream.send(request.next)) return false;
      request.isSent = true;
      request.next = request.messages.next().value;
    }
    if (!request.isSettled) this.#sent.set(stream.sent, request);
    return true;
  }

  async #open(): Promise<void> {
    const { channel, method, opening, deadline } = this.#options;
    this.#isOpening = true;
    const current: { stream?: RpcStream } = {};
    const handler: StreamHandler = {
      onMessage: (message, number) => {
        this.#onAnswer(message);
        current.stream?.acknowledge(number);
      },
      onReady: () => this.#send(),
      onClosed: (error) => {
        this.#stream = undefined;
        this.#fail(error ?? new RpcError("unavailable", "the other side has closed the stream"));
      },
    };
    try {
      const stream = await channel.open(method, { opening: opening(), handler, deadline });
      current.stream = stream;
      this.#stream = stream.isClosed ? undefined : stream;
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    this.#isOpening = false;
    if (this.#waiting.size > 0) this.#send();
  }

  #onAnswer(message: Buffer): void {
    const { number, failure } = decodeMessage(AnswerSchema, message);
    const request = this.#sent.get(Number(number));
    if (request === undefined) return;
    this.#sent.delete(Number(number));
    settle(request, failure === undefined ? undefined : fromFailure(failure));
  }

  /** Of what was sent nobody knows; what was not is refused with the reason. */
  #fail(reason: Error): void {
    const requests = [...this.#sent.values(), ...this.#waiting];
    this.#sent.clear();
    this.#waiting.clear();
    this.#waitingBytes = 0;
    const code = reason instanceof RpcError ? reason.code : "unavailable";
    for (const request of requests) {
      const { isSent: sent } = request;
      const error = new RpcError(code, reason.message, { sent, cause: reason });
      settle(request, sent || reason instanceof RpcError ? error : reason);
    }
  }
}

function settle(request: Request, error: Error | undefined): void {
  if (request.isSettled) return;
  request.isSettled = true;
  request.timer?.cancel();
  if (error === undefined) request.resolve();
  else request.reject(error);
}
