/** What a store process pushes to one gateway, as far as the gateway keeps up. */
import { Deque } from "@canopy/base";
import type { Dispatch, Push } from "@canopy/store";
import { RpcError } from "../errors.ts";
import type { RpcStream } from "../stream.ts";
import { MissedPushes } from "./missed.ts";
import { encodeAttached, encodeDispatch, encodeMissed, encodePush } from "./pushes.ts";
import { isAcknowledged } from "./record.ts";

export interface OutgoingOptions {
  readonly stream: RpcStream;
  /** What QoS 0 may take of what is unacknowledged, in bytes: beyond, it is dropped. */
  readonly unacknowledgedLimit: number;
  /** What dispatches of QoS ≥ 1 may take beyond the stream's credit, in bytes. */
  readonly dispatchLimit: number;
  /** Messages of QoS 0 that were dropped. */
  readonly dropped: (messages: number) => void;
  /** Everything up to this push is with the sessions that it is for. */
  readonly acknowledged: (number: number) => void;
}

export class Outgoing {
  readonly #options: OutgoingOptions;
  /** Of each message that is not acknowledged: the last push that it stands for; 0: none. */
  #numbers = new Deque<number>();
  #missed = new MissedPushes();
  /** What dispatches have taken since there was no credit. */
  #beyond = 0;

  constructor(options: OutgoingOptions) {
    this.#options = options;
  }

  /** Somebody has registered on this link: what was pushed before is acknowledged to nobody. */
  attached(attachment: number): void {
    const numbers = new Deque<number>();
    for (let left = this.#numbers.size; left > 0; left--) numbers.push(0);
    this.#numbers = numbers;
    this.#missed = new MissedPushes();
    this.#mark(encodeAttached(attachment), 0);
  }

  push(push: Push): void {
    const fitting = this.#isSlow ? this.#withoutQos0(push) : push;
    if (fitting.indexes.length === 0) this.#passed(push.number);
    else if (this.#missed.isEmpty && this.#options.stream.send(encodePush(fitting))) {
      this.#numbers.push(push.number);
    } else this.#missed.add(this.#withoutQos0(fitting));
  }

  /** @throws RpcError where more than its members may have in flight does not leave. */
  dispatch(dispatch: Dispatch): void {
    const { stream, dispatchLimit, dropped } = this.#options;
    if (this.#isSlow && !isAcknowledged(dispatch.bytes, dispatch.start)) {
      dropped(1);
      this.#passed(dispatch.number);
      return;
    }
    const message = encodeDispatch(dispatch);
    if (this.#missed.isEmpty && stream.send(message)) {
      this.#numbers.push(dispatch.number);
      return;
    }
    this.#beyond += message.length;
    if (this.#beyond > dispatchLimit) {
      throw new RpcError("unavailable", "the gateway does not keep up with what is dispatched");
    }
    // Who acknowledges it would acknowledge what came before.
    this.#sayMissed();
    this.#mark(message, dispatch.number);
  }

  /** The gateway has dealt with so many messages of the stream, all in all. */
  onAcknowledged(messages: number): void {
    const done = this.#numbers.size - (this.#options.stream.sent - messages);
    let number = 0;
    for (let left = done; left > 0; left--) number = this.#numbers.shift() ?? 0;
    if (number > 0) this.#options.acknowledged(number);
  }

  /** There is credit again. */
  onReady(): void {
    this.#beyond = 0;
    this.#sayMissed();
  }

  get #isSlow(): boolean {
    const { stream, unacknowledgedLimit } = this.#options;
    return stream.unacknowledgedBytes >= unacknowledgedLimit;
  }

  #withoutQos0(push: Push): Push {
    const { records } = push;
    const indexes: number[] = [];
    const offsets: number[] = [];
    for (let i = 0; i < push.indexes.length; i++) {
      const index = push.indexes[i] as number;
      if (!isAcknowledged(records.bytes, records.starts[index] as number)) continue;
      indexes.push(index);
      offsets.push(push.offsets[i] as number);
    }
    this.#options.dropped(push.indexes.length - indexes.length);
    return { ...push, indexes, offsets };
  }

  /** Nothing of it is sent: it is acknowledged with what comes before it. */
  #passed(number: number): void {
    if (!this.#missed.isEmpty) this.#missed.pass(number);
    else if (this.#numbers.size === 0) this.#options.acknowledged(number);
    else {
      this.#numbers.pop();
      this.#numbers.push(number);
    }
  }

  #sayMissed(): void {
    if (this.#missed.isEmpty) return;
    const missed = this.#missed.take();
    this.#mark(encodeMissed(missed), missed.number);
  }

  #mark(message: Buffer, number: number): void {
    if (this.#options.stream.sendMark(message)) this.#numbers.push(number);
  }
}
