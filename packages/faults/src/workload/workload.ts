import { setTimeout as pause } from "node:timers/promises";
import { pick, type Random, randomInt } from "@canopy/base";
import { Mortals } from "./dying.ts";
import { Publisher, type PublisherOptions } from "./publishing.ts";
import { Counters, Readers } from "./retaining.ts";
import { Subscriber, type SubscriberOptions } from "./subscribing.ts";
import { Contenders } from "./takeovers.ts";
import type { Part, World } from "./world.ts";

/** Several publishers share a topic; a topic has one QoS, in which order is promised. */
const TOPICS = 12;
const CONTENDED = "f/1/contended";

const publisherNames = ["pub-1", "pub-2", "pub-3", "pub-4", "trans-pub-1", "trans-pub-2"];

const subscribers: readonly SubscriberOptions[] = [
  { name: "all", isDurable: true, filters: [{ filter: "f/#", qos: 2 }] },
  { name: "lazy", isDurable: true, filters: [{ filter: "f/+/+", qos: 2 }], isLazy: true },
  {
    name: "narrow",
    isDurable: true,
    filters: [{ filter: "f/2/1", qos: 2 }],
    receiveMaximum: 3,
    isLazy: true,
  },
  {
    name: "overlapping",
    isDurable: true,
    filters: [
      { filter: "f/#", qos: 1 },
      { filter: "f/2/+", qos: 2 },
      { filter: "f/+/0", qos: 1 },
    ],
    isLazy: true,
  },
  {
    name: "away-1",
    isDurable: true,
    filters: [{ filter: "f/1/#", qos: 1 }],
    comesAndGoes: true,
  },
  {
    name: "away-2",
    isDurable: true,
    filters: [{ filter: "f/2/0", qos: 2 }],
    isLazy: true,
    comesAndGoes: true,
  },
  { name: "transient-1", isDurable: false, filters: [{ filter: "f/#", qos: 1 }] },
  { name: "transient-2", isDurable: false, filters: [{ filter: "f/+/+", qos: 2 }], isLazy: true },
  ...members("exact", 2, [true, true, true]),
  ...members("least", 1, [true, false, false]),
];

/** The longest time between two connections that break without a fault, ms. */
const CUTS = 2500;

/** About thirty clients, which do all that is checked. */
export class Workload {
  readonly #parts: readonly Part[];
  readonly #breakable: readonly (Publisher | Subscriber)[];
  readonly #random: Random;
  #isStopped = true;
  #cutting: Promise<void> = Promise.resolve();
  #readers: Readers[];

  constructor(world: World, probes: readonly Part[]) {
    this.#random = world.random;
    const publishers = publisherNames.map((name, i) => new Publisher(world, lanesOf(name, i), i));
    const watching = subscribers.map((options, i) => new Subscriber(world, options, i));
    this.#breakable = [...publishers, ...watching];
    this.#readers = [new Readers(world, "reader-a"), new Readers(world, "reader-b")];
    this.#parts = [
      ...watching,
      new Counters(world),
      new Mortals(world),
      ...publishers,
      ...this.#readers,
      ...["x", "y"].map((name) => new Contenders(world, `taken-${name}`, CONTENDED, 3)),
      ...probes,
    ];
  }

  /** Everybody is connected and subscribed. */
  async open(): Promise<void> {
    for (const part of this.#parts) await part.open();
  }

  begin(): void {
    this.#isStopped = false;
    for (const part of this.#parts) part.begin();
    this.#cutting = this.#cut();
  }

  /** What has begun is finished; who does not manage it in time is named. */
  async finish(patience: number): Promise<string[]> {
    this.#isStopped = true;
    await this.#cutting;
    const late: string[] = [];
    const timeout = new AbortController();
    const end = pause(patience, "late", { signal: timeout.signal }).catch(() => "late");
    const finish = async (part: Part) => {
      const outcome = await Promise.race([part.finish(), end]);
      if (outcome === "late") late.push(...part.waitsFor, "a client has not finished");
    };
    await Promise.all(this.#parts.map(finish));
    timeout.abort();
    return late;
  }

  get waitsFor(): string[] {
    return this.#parts.flatMap((part) => part.waitsFor);
  }

  /** Readers that still wait have waited in vain. */
  async giveUp(): Promise<void> {
    for (const reader of this.#readers) await reader.close();
  }

  async close(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#parts.map((part) => part.close()));
  }

  async #cut(): Promise<void> {
    while (!this.#isStopped) {
      await pause(randomInt(this.#random, CUTS));
      pick(this.#random, this.#breakable).client.cut();
    }
  }
}

function lanesOf(name: string, i: number): PublisherOptions {
  const topics = Array.from({ length: 4 }, (_, n) => {
    const qos: 1 | 2 = n % 2 === 0 ? 1 : 2;
    return { topic: `f/${qos}/${(i * 2 + n) % TOPICS}`, qos };
  });
  return { name, isDurable: !name.startsWith("trans"), topics };
}

/** Of a shared group, durable or not. */
function members(share: string, qos: 1 | 2, durable: readonly boolean[]): SubscriberOptions[] {
  return durable.map((isDurable, i) => ({
    name: `${share}-${i + 1}`,
    isDurable,
    filters: [{ filter: `$share/${share}/f/#`, qos }],
    isLazy: i > 0,
  }));
}
