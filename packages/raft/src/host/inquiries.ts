/** Asks nodes which disk they have, until they answer or it has taken too long. */
import { type Random, randomInt } from "@canopy/base";
import type { DiskId } from "../storage/port.ts";
import type { Hello, NodeName } from "../transport/port.ts";

interface Inquiry {
  readonly node: NodeName;
  /** In ticks. */
  readonly endsAt: number;
  readonly answer: (disk: DiskId | undefined) => void;
}

/** The answer to a question of an earlier life of this node must not be taken for one of this. */
const TOKENS: number = 2 ** 52;

export class Inquiries {
  readonly #send: (to: NodeName, hello: Hello) => void;
  readonly #open = new Map<number, Inquiry>();
  #token: number;
  #ended = false;

  constructor(random: Random, send: (to: NodeName, hello: Hello) => void) {
    this.#send = send;
    this.#token = randomInt(random, TOKENS);
  }

  /** Undefined if there was no answer. */
  ask(node: NodeName, endsAt: number): Promise<DiskId | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    const token = this.#token++;
    this.#send(node, { type: "ask", token });
    return new Promise((answer) => this.#open.set(token, { node, endsAt, answer }));
  }

  answered(from: NodeName, disk: DiskId, token: number): void {
    const inquiry = this.#open.get(token);
    if (inquiry?.node !== from) return;
    this.#open.delete(token);
    inquiry.answer(disk);
  }

  /** Now and then: a question or its answer may be lost. */
  repeat(ticks: number): void {
    for (const [token, { node, endsAt, answer }] of this.#open) {
      if (ticks < endsAt) {
        this.#send(node, { type: "ask", token });
      } else {
        this.#open.delete(token);
        answer(undefined);
      }
    }
  }

  end(): void {
    this.#ended = true;
    for (const { answer } of this.#open.values()) answer(undefined);
    this.#open.clear();
  }
}
