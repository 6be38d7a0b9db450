/** One who asks for this and that, one after the other, and remembers what it was told. */
import { setTimeout as pause } from "node:timers/promises";
import { pick, type Random, randomInt } from "@canopy/base";
import type { SessionError } from "@canopy/session";
import type { History, Recorded } from "../../../raft/sim/history.ts";
import { asSessionError } from "../../src/index.ts";
import type { Command } from "./machine.ts";
import type { Nodes } from "./nodes.ts";
import type { Request } from "./requests.ts";

export const GROUP = 1;
export const KEYS = 3;

/** Between two requests, ms: so that the history stays short enough to be searched. */
const THINKING = 4;
const RETRYING = 20;

export class Client {
  readonly id: number;
  readonly #nodes: Nodes;
  readonly #history: History;
  readonly #random: Random;
  /** Of appends, which are repeated until they are answered for good. */
  #sequence = 0;
  #value = 0;
  #at: string;
  #isStopped = false;
  acknowledged = 0;

  constructor(id: number, nodes: Nodes, history: History, random: Random) {
    this.id = id;
    this.#nodes = nodes;
    this.#history = history;
    this.#random = random;
    this.#at = pick(random, nodes.names);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      const key = randomInt(this.#random, KEYS);
      const dice = randomInt(this.#random, 10);
      if (dice < 4) await this.#read(key);
      else if (dice < 8) await this.#change(key, dice < 6);
      else await this.#append(key);
      await pause(THINKING);
    }
  }

  /** Every value is asked for once. */
  #next(): number {
    this.#value++;
    return this.id * 1_000_000 + this.#value;
  }

  async #read(key: number): Promise<void> {
    const recorded = this.#history.register(GROUP, key, { kind: "read" });
    const error = await this.#once({ kind: "read", key }, recorded);
    if (error !== undefined) recorded.forget();
  }

  async #change(key: number, isWrite: boolean): Promise<void> {
    const value = this.#next();
    const command: Command = isWrite
      ? { kind: "write", key, value }
      : { kind: "cas", key, from: await this.#peek(key), value };
    const { kind } = command;
    const input =
      kind === "cas" ? { kind, from: command.from, value } : { kind: "write" as const, value };
    const recorded = this.#history.register(GROUP, key, input);
    const error = await this.#once({ kind: "propose", command }, recorded);
    // What may still happen stays in the history without an end.
    if (error !== undefined && error.code !== "indeterminate") recorded.forget();
  }

  /** What the register may be now: a compare-and-set with it sometimes sets. */
  #peek(key: number): Promise<number> {
    return this.#nodes.ask<number>(this.#at, { kind: "read", key }).catch(() => 0);
  }

  async #append(key: number): Promise<void> {
    const value = this.#next();
    const origin = { client: this.id, sequence: ++this.#sequence };
    const recorded = this.#history.append(GROUP, key, value);
    const request: Request = { kind: "propose", command: { kind: "append", key, value }, origin };
    while (!this.#isStopped) {
      if ((await this.#once(request, recorded)) === undefined) return;
    }
  }

  /** The error that it was answered with; undefined where it was done. */
  async #once(request: Request, recorded: Recorded<number>): Promise<SessionError | undefined> {
    try {
      const answer = await this.#nodes.ask<number | undefined>(this.#at, request);
      recorded.end(answer);
      this.acknowledged++;
      return undefined;
    } catch (error) {
      const known = asSessionError(error);
      await this.#turn(known);
      return known;
    }
  }

  #turn({ leader }: SessionError): Promise<void> {
    const others = this.#nodes.names.filter((name) => name !== this.#at);
    this.#at = leader ?? pick(this.#random, others);
    return pause(RETRYING);
  }
}
