/** What a store process pushes, on its way to the gateway. */
import { Deque, type Logger } from "@canopy/base";
import type { ShardPeer } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import { RpcError } from "../errors.ts";
import { decodeAttached, decodeDispatch, decodeMissed, decodePush, TO_GATEWAY } from "./pushes.ts";

/** Not even what nobody has to acknowledge. */
const NOTHING = -1;

export class Incoming {
  readonly #topics: TopicTable;
  readonly #logger: Logger;
  /** Acknowledges that many messages of the stream, all in all. */
  readonly #acknowledge: (messages: number) => void;
  #peer: ShardPeer | undefined;
  /** How often the gateway has registered, and how often the process has heard of it. */
  #wanted = 0;
  #attachment = 0;
  /** Of each message that is not acknowledged: the push that it stands for; 0: nobody has to. */
  #numbers = new Deque<number>();
  #messages = 0;
  /** The gateway's word, of this registration. */
  #acknowledged = NOTHING;

  constructor(topics: TopicTable, logger: Logger, acknowledge: (messages: number) => void) {
    this.#topics = topics;
    this.#logger = logger;
    this.#acknowledge = acknowledge;
  }

  /** Registers: what was pushed before concerns nobody any more. */
  attach(peer: ShardPeer): void {
    this.detach();
    this.#peer = peer;
    this.#wanted++;
  }

  /**
   * Nothing is acknowledged until the process has heard of the next registration: before that it would
   * take it for the word of this one.
   */
  detach(): void {
    this.#peer = undefined;
    this.#acknowledged = NOTHING;
  }

  acknowledged(number: number): void {
    if (number > this.#acknowledged) this.#acknowledged = number;
    this.#drain();
  }

  /** @throws DecodeError; RpcError for what this gateway can't take. */
  onMessage(message: Buffer): void {
    const topics = this.#topics;
    switch (message[0]) {
      case TO_GATEWAY.push: {
        const push = decodePush(message, topics);
        this.#take(push.number, (peer) => peer.push(push));
        break;
      }
      case TO_GATEWAY.dispatch: {
        const dispatch = decodeDispatch(message, topics);
        this.#take(dispatch.number, (peer) => peer.dispatch(dispatch));
        break;
      }
      case TO_GATEWAY.missed: {
        const missed = decodeMissed(message, topics);
        const peer = this.#noted(missed.number);
        if (peer === undefined) break;
        // Nothing is lost where the link ends instead: everything is then given, or read, again.
        if (peer.missed === undefined) throw new RpcError("unavailable", "pushes were missed");
        peer.missed(missed);
        break;
      }
      case TO_GATEWAY.attached:
        this.#attached(decodeAttached(message));
        break;
      default:
        throw new RpcError("internal", `no such message: ${message[0]}`);
    }
  }

  #attached(attachment: number): void {
    this.#attachment = attachment;
    this.#numbers.push(0);
    if (attachment !== this.#wanted || this.#peer === undefined) return;
    // The numbers begin again, and what came before may be forgotten.
    const numbers = new Deque<number>();
    for (let left = this.#numbers.size; left > 0; left--) numbers.push(0);
    this.#numbers = numbers;
    this.#acknowledged = 0;
    this.#drain();
  }

  #take(number: number, give: (peer: ShardPeer) => void): void {
    const peer = this.#noted(number);
    if (peer === undefined) return;
    try {
      give(peer);
    } catch (error) {
      // One that it can't take must not keep the others from it.
      this.#logger.error({ error }, "the gateway failed to take a message");
    }
  }

  /** Who is to be told; undefined: nobody, as it was meant for an earlier registration. */
  #noted(number: number): ShardPeer | undefined {
    this.#numbers.push(number);
    return this.#attachment === this.#wanted ? this.#peer : undefined;
  }

  #drain(): void {
    const before = this.#messages;
    for (let next = this.#numbers.peek(); next !== undefined; next = this.#numbers.peek()) {
      if (next > this.#acknowledged) break;
      this.#numbers.shift();
      this.#messages++;
    }
    if (this.#messages > before) this.#acknowledge(this.#messages);
  }
}
