import { setTimeout as pause } from "node:timers/promises";
import { Deferred } from "@canopy/base";
import { groupOf } from "@canopy/session";
import { shardOf } from "@canopy/topic";
import { Client, type Gateway } from "../client/client.ts";
import type { Part, World } from "../workload/world.ts";
import { Stalls } from "./stalls.ts";

export interface ProbeOptions extends World {
  readonly shards: number;
  readonly groups: number;
}

/** A part of the workload that measures for how long something does not work. */
export interface Probe extends Part {
  /** Its clients leave this gateway now, as those do that notice at once that it is gone. */
  flee(gateway: string): void;
  /** What was begun after this moment has succeeded everywhere. */
  worksSince(from: number): boolean;
  /** The longest time for which it did not work, from this moment on, ms. */
  longestSince(from: number): number;
  forget(): void;
}

/** Between two attempts, ms. */
const BEAT = 120;

/** The first of a sequence of names that has this number. */
function nameWith(number: number, numberOf: (name: string) => number, prefix: string): string {
  for (let i = 0; ; i++) {
    const name = `${prefix}${i}`;
    if (numberOf(name) === number) return name;
  }
}

abstract class Repeating implements Probe {
  protected readonly world: World;
  protected isStopped = true;
  readonly #stalls: Stalls[];
  #running: Promise<void>[] = [];

  constructor(world: World, count: number) {
    this.world = world;
    this.#stalls = Array.from({ length: count }, () => new Stalls());
  }

  abstract open(): Promise<void>;
  abstract close(): Promise<void>;
  abstract flee(gateway: string): void;
  /** One success, however many tries it takes; false if it was given up at the end. */
  protected abstract succeed(index: number): Promise<boolean>;

  begin(): void {
    this.isStopped = false;
    this.#running = this.#stalls.map((stalls, index) => this.#repeat(stalls, index));
  }

  async finish(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.#running);
  }

  get waitsFor(): readonly string[] {
    return [];
  }

  worksSince(from: number): boolean {
    return this.#stalls.every((stalls) => stalls.hasSucceededSince(from));
  }

  longestSince(from: number): number {
    const { now } = this.world.history;
    return Math.max(...this.#stalls.map((stalls) => stalls.longestSince(from, now)));
  }

  forget(): void {
    for (const stalls of this.#stalls) stalls.forget();
  }

  async #repeat(stalls: Stalls, index: number): Promise<void> {
    const { history } = this.world;
    while (!this.isStopped) {
      const end = stalls.begin(history.now);
      while (!this.isStopped && !(await this.succeed(index))) await pause(BEAT / 4);
      end(history.now);
      await pause(BEAT);
    }
  }
}

/** A QoS 1 message in every shard, until it is acknowledged and has reached a durable subscriber. */
export class Publishing extends Repeating {
  readonly #out: Client;
  readonly #in: Client;
  readonly #topics: string[];
  readonly #arrivals = new Map<string, Deferred<boolean>>();

  constructor(options: ProbeOptions, gateways: () => readonly Gateway[]) {
    super(options, options.shards);
    this.#topics = Array.from({ length: options.shards }, (_, shard) =>
      nameWith(shard, (name) => shardOf(name, options.shards), "p/"),
    );
    const shared = { ...options, gateways, isDurable: true };
    this.#out = new Client({ ...shared, clientId: "probe-out", abandons: true, first: 0 });
    this.#in = new Client({
      ...shared,
      clientId: "probe-in",
      first: 1,
      filters: [{ filter: "p/#", qos: 1 }],
      received: ({ topic, seq }) => this.#arrivals.get(`${topic} ${seq}`)?.resolve(true),
    });
  }

  async open(): Promise<void> {
    await this.#in.stay();
    await this.#out.stay();
  }

  async close(): Promise<void> {
    await Promise.all([this.#in.vanish(), this.#out.vanish()]);
  }

  flee(gateway: string): void {
    for (const client of [this.#in, this.#out]) if (client.gateway === gateway) client.cut();
  }

  protected async succeed(shard: number): Promise<boolean> {
    const topic = this.#topics[shard] ?? "";
    await this.#out.stay();
    if (!this.#out.isOpen) return false;
    const seq = this.world.numbers.next(this.#out.clientId, topic);
    const name = `${topic} ${seq}`;
    const arrived = new Deferred<boolean>();
    this.#arrivals.set(name, arrived);
    try {
      const outcome = await this.#out.publish(topic, seq, 1);
      return outcome === "accepted" && (await arrived.promise);
    } finally {
      this.#arrivals.delete(name);
    }
  }
}

/** A durable session of each session group, opened at another gateway each time. */
export class Connecting extends Repeating {
  readonly #clients: Client[];

  constructor(options: ProbeOptions, gateways: () => readonly Gateway[]) {
    super(options, options.groups);
    this.#clients = Array.from({ length: options.groups }, (_, index) => {
      const clientId = nameWith(index + 1, (name) => groupOf(name, options.groups), "visitor-");
      return new Client({ ...options, gateways, clientId, isDurable: true, first: index });
    });
  }

  async open(): Promise<void> {
    for (const client of this.#clients) {
      await client.stay();
      await client.leave();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.vanish()));
  }

  flee(gateway: string): void {
    for (const client of this.#clients) if (client.gateway === gateway) client.cut();
  }

  protected async succeed(index: number): Promise<boolean> {
    const client = this.#clients[index];
    await client?.stay();
    await client?.leave();
    return true;
  }
}

/** Durable sessions that stay on one gateway, and go to another one when something is done to it. */
export class Staying implements Probe {
  readonly #world: World;
  readonly #homes = new Map<string, Client[]>();
  readonly #stalls = new Stalls();

  constructor(options: ProbeOptions, names: readonly string[], gateways: () => readonly Gateway[]) {
    this.#world = options;
    for (const name of names) {
      const where = () => preferring(name, gateways());
      const clients = Array.from({ length: options.groups }, (_, index) => {
        const prefix = `guest-${name}-`;
        const clientId = nameWith(index + 1, (id) => groupOf(id, options.groups), prefix);
        return new Client({ ...options, gateways: where, clientId, isDurable: true });
      });
      this.#homes.set(name, clients);
    }
  }

  async open(): Promise<void> {
    for (const client of this.#all) await client.stay();
  }

  begin(): void {}

  async finish(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.stay()));
  }

  get waitsFor(): readonly string[] {
    return this.#all.filter(({ isReady }) => !isReady).map((one) => `${one.clientId} is lost`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.vanish()));
  }

  flee(gateway: string): void {
    for (const client of this.#all) {
      if (client.gateway !== gateway) continue;
      const end = this.#stalls.begin(this.#world.history.now);
      client.cut();
      void this.#back(client).then(() => end(this.#world.history.now));
    }
  }

  worksSince(): boolean {
    return this.waitsFor.length === 0;
  }

  longestSince(from: number): number {
    return this.#stalls.longestSince(from, this.#world.history.now);
  }

  forget(): void {
    this.#stalls.forget();
    // They go home, where the next fault finds them.
    for (const [name, clients] of this.#homes) {
      for (const client of clients) if (client.gateway !== name) client.cut();
    }
  }

  get #all(): Client[] {
    return [...this.#homes.values()].flat();
  }

  async #back(client: Client): Promise<void> {
    const { connection } = client;
    while (client.connection === connection || !client.isReady) await pause(5);
  }
}

/** This one, if it is among them. */
function preferring(name: string, gateways: readonly Gateway[]): readonly Gateway[] {
  const home = gateways.filter((gateway) => gateway.name === name);
  return home.length > 0 ? home : gateways;
}
