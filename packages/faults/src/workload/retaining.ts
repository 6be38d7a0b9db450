import { setTimeout as pause } from "node:timers/promises";
import { randomInt } from "@canopy/base";
import { Client } from "../client/client.ts";
import { RETAINED } from "./topics.ts";
import type { Part, World } from "./world.ts";

const TOPICS = ["0", "1", "2", "3"].map((name) => `${RETAINED}${name}`);
/** Between two values of a topic, ms. */
const BEAT = 150;
/** How long a reader looks on, after it has read, ms. */
const LOOK = 300;

/** A counter in each retained topic. One value is in flight per topic, so none comes twice later. */
export class Counters implements Part {
  readonly #client: Client;
  readonly #world: World;
  #running: Promise<void>[] = [];
  #isStopped = true;

  constructor(world: World) {
    this.#world = world;
    this.#client = new Client({ ...world, clientId: "counter", isDurable: true });
  }

  /** Each topic has a value, so that a reader knows what to wait for. */
  async open(): Promise<void> {
    await this.#client.stay();
    for (const topic of TOPICS) await this.#count(topic);
  }

  begin(): void {
    this.#isStopped = false;
    this.#running = TOPICS.map(async (topic) => {
      while (!this.#isStopped) {
        await this.#count(topic);
        await pause(randomInt(this.#world.random, BEAT * 2));
      }
    });
  }

  async finish(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  get waitsFor(): readonly string[] {
    return this.#client.unfinished === 0 ? [] : ["a retained value is not acknowledged"];
  }

  async close(): Promise<void> {
    await this.#client.vanish();
  }

  async #count(topic: string): Promise<void> {
    await this.#client.stay();
    if (!this.#client.isOpen) return;
    const seq = this.#world.numbers.next(this.#client.clientId, topic);
    await this.#client.publish(topic, seq, seq % 2 === 0 ? 1 : 2, true);
  }
}

/** Fresh subscribers, one after the other, who read the retained values and look on for a moment. */
export class Readers implements Part {
  readonly #world: World;
  readonly #name: string;
  #count = 0;
  #reader: Client | undefined;
  #missing: readonly string[] = [];
  #running: Promise<void> = Promise.resolve();
  #isStopped = true;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  async open(): Promise<void> {}

  begin(): void {
    this.#isStopped = false;
    this.#running = this.#run();
  }

  /** Does not wait for what never comes: see waitsFor. */
  async finish(): Promise<void> {
    this.#isStopped = true;
  }

  get waitsFor(): readonly string[] {
    if (this.#missing.length === 0) return [];
    return [`${this.#reader?.clientId} misses ${this.#missing.join(", ")}`];
  }

  /** A reader that still waits has waited in vain. */
  async close(): Promise<void> {
    if (this.#missing.length > 0) this.#reader?.endReading();
    this.#missing = [];
    await this.#reader?.vanish();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) await this.#read();
  }

  async #read(): Promise<void> {
    let connection = 0;
    const clientId = `${this.#name}-${++this.#count}`;
    const reader = new Client({
      ...this.#world,
      clientId,
      first: this.#count,
      isDurable: false,
      isReader: true,
      filters: [{ filter: `${RETAINED}#`, qos: 1 }],
      received: (event) => {
        if (event.connection !== connection) this.#missing = TOPICS;
        connection = event.connection;
        this.#missing = this.#missing.filter((topic) => topic !== event.topic);
      },
    });
    this.#reader = reader;
    this.#missing = TOPICS;
    void reader.stay();
    while (this.#missing.length > 0) await pause(BEAT);
    await pause(randomInt(this.#world.random, LOOK));
    if (reader.isReady && reader.connection === connection) reader.endReading();
    await reader.leave();
  }
}
