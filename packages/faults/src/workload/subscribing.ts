import { setTimeout as pause } from "node:timers/promises";
import { randomBool, randomInt } from "@canopy/base";
import { Client, type Filter } from "../client/client.ts";
import type { Part, World } from "./world.ts";

export interface SubscriberOptions {
  readonly name: string;
  readonly isDurable: boolean;
  readonly filters: readonly Filter[];
  readonly isLazy?: boolean;
  readonly receiveMaximum?: number;
  /** Is away most of the time while others publish. */
  readonly comesAndGoes?: boolean;
}

/** How often the connection breaks when a message has come and is not acknowledged. */
const BREAKS = 0.001;
/** The longest time here and away, ms. */
const STAY = 1500;

export class Subscriber implements Part {
  readonly client: Client;
  readonly #world: World;
  readonly #comesAndGoes: boolean;
  #running: Promise<void> = Promise.resolve();
  #isStopped = true;

  constructor(world: World, options: SubscriberOptions, first: number) {
    const { name: clientId, comesAndGoes = false, ...rest } = options;
    this.#world = world;
    this.#comesAndGoes = comesAndGoes;
    const received = (): void => {
      if (randomBool(world.random, BREAKS)) this.client.cut();
    };
    this.client = new Client({ ...world, ...rest, clientId, first, received });
  }

  async open(): Promise<void> {
    await this.client.stay();
  }

  begin(): void {
    this.#isStopped = false;
    if (this.#comesAndGoes) this.#running = this.#comeAndGo();
  }

  /** It is there, to get what is due. */
  async finish(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.client.stay();
  }

  get waitsFor(): readonly string[] {
    const { clientId, isReady, unfinished } = this.client;
    if (!isReady) return [`${clientId} is not connected`];
    return unfinished === 0 ? [] : [`${clientId}: ${unfinished} PUBRELs have not come`];
  }

  async close(): Promise<void> {
    await this.client.vanish();
  }

  async #comeAndGo(): Promise<void> {
    const { random } = this.#world;
    while (!this.#isStopped) {
      await (randomBool(random) ? this.client.leave() : this.client.vanish());
      await pause(randomInt(random, STAY));
      void this.client.stay();
      await pause(randomInt(random, STAY));
    }
  }
}
