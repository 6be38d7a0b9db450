/** Random scripts over a small world: few clients, filters, shards and offsets, so that they meet. */
import fc from "fast-check";
import type { Command, SessionKey } from "../src/commands.ts";
import type {
  NewSubscription,
  Opened,
  Progress,
  RetainedProgress,
  Unfinished,
} from "../src/port.ts";
import type { Result } from "../src/state.ts";
import { newSubscription, SHARDS } from "./group.ts";

export const FILTERS = ["f", "g/+", "h/#", "$share/s/f", "$share/t/#"];
const CLIENTS = ["a", "b", "c"];
const OFFSETS = 40;

/** Numbers that a step's command is made of. */
export interface Step {
  readonly kind: number;
  readonly pick: readonly number[];
}

const PICKS = 24;

export const scripts: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    kind: fc.nat(99),
    pick: fc.array(fc.nat(2 ** 20), { minLength: PICKS, maxLength: PICKS }),
  }),
  { minLength: 1, maxLength: 120, size: "max" },
);

/** Makes commands from steps; knows the openings so far, also those that are over. */
export class Script {
  #now = 0;
  /** The last version of the control log that a command had. */
  #version = 0;
  readonly #gateways: number[] = [];
  readonly #openings: SessionKey[] = [];
  #pick: readonly number[] = [];
  #next = 0;

  command(step: Step): Command {
    this.#pick = step.pick;
    this.#next = 0;
    this.#now += this.#below(4) === 0 ? this.#below(30_000) : 0;
    const at = this.#now;
    const { kind } = step;
    if (this.#gateways.length === 0 || kind < 3) return this.#members(at);
    if (kind < 23) return this.#open(at);
    if (kind < 38) return this.#release(at);
    if (kind < 52) return this.#subscribe(at);
    if (kind < 60) return this.#unsubscribe(at);
    if (kind < 70) return { type: "progress", at, batch: [this.#progress(), this.#progress()] };
    if (kind < 84) return this.#deliveries(at);
    if (kind < 88) return { type: "expire", at, sessions: this.#keys() };
    if (kind < 92) return { type: "fire-will", at, sessions: this.#keys() };
    if (kind < 94) return { type: "will-done", at, wills: this.#keys() };
    if (kind < 96) return this.#ended(at);
    if (kind < 98) return { type: "tick", at };
    return this.#down(at);
  }

  /** To be told what each command answered. */
  answered(command: Command, result: Result): void {
    const opened = command.type === "open" ? (result as { opened?: Opened }).opened : undefined;
    if (opened) this.#openings.push({ incarnation: opened.incarnation, epoch: opened.epoch });
  }

  #below(bound: number): number {
    const value = this.#pick[this.#next++ % PICKS] as number;
    return value % bound;
  }

  #of<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T;
  }

  #some<T>(items: readonly T[], most: number): T[] {
    const some: T[] = [];
    for (let left = this.#below(most + 1); left > 0; left--) some.push(this.#of(items));
    return some;
  }

  /** Mostly one of the latest. */
  #key(): SessionKey {
    const back = this.#below(4) === 0 ? this.#below(20) : this.#below(CLIENTS.length);
    return this.#openings.at(-1 - back) ?? { incarnation: 1, epoch: 1 };
  }

  #keys(): SessionKey[] {
    return [this.#key(), this.#key(), this.#key()];
  }

  /** Mostly the next version, with a gateway and a store that are new. */
  #members(at: number): Command {
    const isOld = this.#version > 0 && this.#below(4) === 0;
    const version = isOld ? 1 + this.#below(this.#version) : this.#version + 1;
    this.#version = Math.max(version, this.#version);
    if (!isOld) this.#gateways.push(version);
    return {
      type: "members",
      at,
      version,
      gatewaysUp: [version],
      gatewaysGone: this.#some([0, ...this.#gateways.slice(0, -1)], 2),
      storesUp: [version],
      storesDown: this.#some(this.#gateways, 1),
    };
  }

  #open(at: number): Command {
    const hasWill = this.#below(2) === 0;
    return {
      type: "open",
      at,
      request: {
        clientId: this.#of(CLIENTS),
        gateway: this.#of(this.#gateways),
        requestId: this.#below(4),
        cleanStart: this.#below(4) === 0,
        expiry: this.#of([0, 5, 20, 60, 0xff_ff_ff_ff]),
        will: hasWill
          ? { record: Buffer.of(this.#below(250)), delay: this.#of([0, 10, 50]), expiry: undefined }
          : undefined,
        user: this.#of([undefined, "user"]),
      },
    };
  }

  #release(at: number): Command {
    return {
      type: "release",
      at,
      request: {
        ...this.#progress(),
        will: this.#of(["drop", "publish"]),
        expiry: this.#of([undefined, undefined, 0, 30]),
        unfinished: this.#unfinished(),
        ...(this.#below(2) === 0 && { receiptShards: this.#shards() }),
      },
    };
  }

  #subscribe(at: number): Command {
    const heads = Array.from({ length: SHARDS }, () => this.#below(OFFSETS));
    const subscriptions = this.#some(FILTERS, 3).map(
      (filter): NewSubscription =>
        newSubscription({
          filter,
          qos: this.#of([0, 1, 2]),
          sendRetained: this.#below(3) === 0,
          subscriptionIdentifier: this.#below(3),
        }),
    );
    return { type: "subscribe", at, heads, requests: [{ ...this.#key(), subscriptions }] };
  }

  #unsubscribe(at: number): Command {
    const filters = this.#some(FILTERS, 2);
    const draining = this.#below(2) === 0 ? filters : [];
    return { type: "unsubscribe", at, request: { ...this.#key(), filters, draining } };
  }

  #progress(): Progress {
    const shard = this.#below(SHARDS);
    const from = this.#below(OFFSETS);
    const cursor = this.#below(3) === 0 ? [shard, this.#below(OFFSETS)] : [];
    return {
      ...this.#key(),
      cursors: cursor,
      done: [{ shard, ranges: [from, from + this.#below(3)] }],
      drained: this.#some(FILTERS, 1),
      retainedAfter: this.#retainedAfter(),
      retainedSent: this.#below(2) === 0 ? this.#some(FILTERS, 1) : [],
    };
  }

  #deliveries(at: number): Command {
    const ids = [1, 2, 3, 4, 5];
    return {
      type: "deliveries",
      at,
      batch: [
        {
          ...this.#key(),
          completed: this.#some(ids, 2),
          received: this.#some(ids, 2),
          assigned: this.#unfinished(),
          retainedAfter: this.#retainedAfter(),
          receiptShards: this.#shards(),
        },
      ],
    };
  }

  #shards(): number[] {
    return this.#some(
      Array.from({ length: SHARDS }, (_, shard) => shard),
      2,
    );
  }

  #retainedAfter(): RetainedProgress[] {
    return this.#some(FILTERS, 2).map((filter) => ({
      filter,
      shard: this.#below(SHARDS + 1),
      topic: `t${this.#below(9)}`,
    }));
  }

  #unfinished(): Unfinished[] {
    return this.#some([1, 2, 3, 4, 5], 3).map((packetId) => ({
      packetId,
      qos: this.#of([1, 2, 2]),
      received: false,
      source: this.#of(["queue", "queue", "retained"]),
      queue: this.#of(FILTERS),
      shard: this.#below(SHARDS),
      offset: this.#below(OFFSETS),
    }));
  }

  #ended(at: number): Command {
    return {
      type: "ended-cleaned",
      at,
      incarnations: this.#keys().map(({ incarnation }) => incarnation),
    };
  }

  #down(at: number): Command {
    const sessions = this.#openings.map(({ incarnation }) => incarnation);
    return { type: "gateway-down", at, gateway: this.#of(this.#gateways), sessions };
  }
}
