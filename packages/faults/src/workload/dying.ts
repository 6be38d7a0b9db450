import { setTimeout as pause } from "node:timers/promises";
import { pick, randomBool, randomInt } from "@canopy/base";
import { Client } from "../client/client.ts";
import { WILLS } from "./topics.ts";
import type { Part, World } from "./world.ts";

/** The longest time between two of them, ms. */
const REST = 900;
/** The longest life of one, ms. */
const LIFE = 1500;
/** A Will Delay Interval that no round lasts, s. */
const LONG = 3600;

const ways = [
  "cut",
  "cut, delayed",
  "returns",
  "leaves",
  "leaves its will",
  "is taken over",
  "stays",
];

/** Clients with wills, each of which dies, leaves or comes back in one of the ways there are. */
export class Mortals implements Part {
  readonly #world: World;
  readonly #watcher: Client;
  readonly #lives = new Set<Promise<void>>();
  #count = 0;
  #isStopped = true;
  #running: Promise<void> = Promise.resolve();

  constructor(world: World) {
    this.#world = world;
    this.#watcher = new Client({
      ...world,
      clientId: "watcher",
      isDurable: true,
      isLazy: true,
      filters: [{ filter: `${WILLS}#`, qos: 2 }],
    });
  }

  async open(): Promise<void> {
    await this.#watcher.stay();
  }

  begin(): void {
    this.#isStopped = false;
    this.#running = this.#run();
  }

  async finish(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await Promise.all(this.#lives);
  }

  get waitsFor(): readonly string[] {
    return this.#lives.size === 0 ? [] : [`${this.#lives.size} lives have not ended`];
  }

  async close(): Promise<void> {
    await this.#watcher.vanish();
  }

  async #run(): Promise<void> {
    const { random } = this.#world;
    while (!this.#isStopped) {
      const life: Promise<void> = this.#live(pick(random, ways)).finally(() => {
        this.#lives.delete(life);
      });
      this.#lives.add(life);
      await pause(randomInt(random, REST));
    }
  }

  async #live(way: string): Promise<void> {
    const { random } = this.#world;
    const clientId = `mortal-${++this.#count}`;
    switch (way) {
      case "cut":
        return this.#cut(this.#client(clientId, 0, randomBool(random)));
      case "cut, delayed":
        return this.#cut(this.#client(clientId, 1, true));
      case "returns":
        return this.#return(this.#client(clientId, LONG, true));
      case "leaves its will":
        return this.#leave(this.#client(clientId, 0, randomBool(random)), 4);
      case "is taken over":
        return this.#takeOver(clientId);
      case "stays":
        return this.#stay(this.#client(clientId, 0, true));
      default:
        return this.#leave(this.#client(clientId, 0, randomBool(random)), 0);
    }
  }

  #client(clientId: string, delay: number, isDurable: boolean): Client {
    const will = { topic: `${WILLS}${clientId}`, delay };
    const first = randomInt(this.#world.random, 10);
    return new Client({ ...this.#world, clientId, isDurable, will, first });
  }

  async #cut(client: Client): Promise<void> {
    await client.stay();
    await this.#while();
    await client.vanish();
  }

  async #leave(client: Client, code: number): Promise<void> {
    await client.stay();
    await this.#while();
    await client.leave(code);
  }

  async #return(client: Client): Promise<void> {
    await client.stay();
    await client.vanish();
    await this.#while();
    await client.stay();
    await client.leave();
  }

  /** Both have a will: that of the one that is taken over is published. */
  async #takeOver(clientId: string): Promise<void> {
    const [first, second] = [0, 1].map(() => this.#client(clientId, 0, true)) as [Client, Client];
    await first.stay();
    const ended = first.stayAway();
    await second.stay();
    await Promise.race([ended, this.#while()]);
    await first.vanish();
    await second.leave();
  }

  /** It is there when something happens, and does not come back after it. */
  async #stay(client: Client): Promise<void> {
    await client.stay();
    const ended = client.stayAway();
    for (let i = 0; i < 4 && client.isOpen; i++) await Promise.race([ended, this.#while()]);
    await client.leave();
  }

  async #while(): Promise<void> {
    await pause(randomInt(this.#world.random, LIFE));
  }
}
