import { setTimeout as pause } from "node:timers/promises";
import { randomInt } from "@canopy/base";
import { Client } from "../client/client.ts";
import type { Part, World } from "./world.ts";

/** Between two PUBLISHes of a contender, ms. */
const BEAT = 40;
/** The longest rest of one who has lost its connection, ms. */
const REST = 900;

/**
 * Several programs with one client id, each of which connects again and again to any gateway, and
 * publishes as long as it is let: each takes the session over from the others [MQTT-3.1.4-3].
 */
export class Contenders implements Part {
  readonly #world: World;
  readonly #topic: string;
  readonly #clients: Client[];
  #running: Promise<void>[] = [];
  #isStopped = true;

  constructor(world: World, clientId: string, topic: string, count: number) {
    this.#world = world;
    this.#topic = topic;
    const rest = () => randomInt(world.random, REST);
    this.#clients = Array.from(
      { length: count },
      (_, first) =>
        new Client({ ...world, clientId, isDurable: true, abandons: true, first, rest }),
    );
  }

  async open(): Promise<void> {}

  begin(): void {
    this.#isStopped = false;
    this.#running = this.#clients.map((client) => this.#contend(client));
  }

  /** The broker ends all connections but one. */
  async finish(): Promise<void> {
    this.#isStopped = true;
    for (const client of this.#clients) void client.stayAway();
    await Promise.all(this.#running);
  }

  get waitsFor(): readonly string[] {
    const open = this.#clients.filter(({ isOpen }) => isOpen);
    return open.length <= 1 ? [] : [`${open[0]?.clientId} has ${open.length} connections`];
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.vanish()));
  }

  async #contend(client: Client): Promise<void> {
    const { numbers, random } = this.#world;
    void client.stay();
    while (!this.#isStopped) {
      await pause(randomInt(random, BEAT * 2));
      // Its connection may be another owner's by now; only the broker knows.
      if (client.isOpen) {
        void client.publish(this.#topic, numbers.next(client.clientId, this.#topic), 1);
      }
    }
  }
}
