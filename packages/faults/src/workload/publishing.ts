import { setTimeout as pause } from "node:timers/promises";
import { randomBool, randomInt } from "@canopy/base";
import { Client } from "../client/client.ts";
import type { Part, World } from "./world.ts";

export interface PublisherOptions {
  readonly name: string;
  readonly isDurable: boolean;
  readonly topics: readonly { readonly topic: string; readonly qos: 1 | 2 }[];
}

/** PUBLISHes in flight per topic. */
const IN_FLIGHT = 2;
/** The longest rest between two on a topic, ms. */
const REST = 600;
/** How often the connection breaks while a message is on its way, and how soon, ms. */
const BREAKS = 0.01;
const SOON = 20;

/** Publishes on its topics; what is refused, or lost with a transient session, is not sent again. */
export class Publisher implements Part {
  readonly client: Client;
  readonly #world: World;
  readonly #options: PublisherOptions;
  #running: Promise<void>[] = [];
  #isStopped = true;

  constructor(world: World, options: PublisherOptions, first: number) {
    const { name: clientId, isDurable } = options;
    this.#world = world;
    this.#options = options;
    this.client = new Client({ ...world, clientId, isDurable, first });
  }

  async open(): Promise<void> {
    await this.client.stay();
  }

  begin(): void {
    this.#isStopped = false;
    this.#running = this.#options.topics.flatMap(({ topic, qos }) =>
      Array.from({ length: IN_FLIGHT }, () => this.#publish(topic, qos)),
    );
  }

  async finish(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  get waitsFor(): readonly string[] {
    const { unfinished, clientId } = this.client;
    return unfinished === 0 ? [] : [`${clientId}: ${unfinished} PUBLISHes are not finished`];
  }

  async close(): Promise<void> {
    await this.client.vanish();
  }

  async #publish(topic: string, qos: 1 | 2): Promise<void> {
    const { numbers, random } = this.#world;
    while (!this.#isStopped) {
      await this.client.stay();
      if (!this.client.isOpen) continue;
      const ended = this.client.publish(topic, numbers.next(this.client.clientId, topic), qos);
      if (randomBool(random, BREAKS)) setTimeout(() => this.client.cut(), randomInt(random, SOON));
      await ended;
      await pause(randomInt(random, REST));
    }
  }
}
