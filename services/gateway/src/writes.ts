import { Deque } from "@canopy/base";
import type { Client } from "./client.ts";
import type { Gateway } from "./gateway.ts";

/**
 * How long a turn may write to sockets before it leaves the rest to the next, in ms. Who is written
 * to answers, so that reading takes about as long again.
 */
const WRITE_SLICE = 2;
/** Sockets written between two looks at the clock. */
const WRITES_PER_LOOK = 32;

/**
 * Outputs that have something to be written: one write per socket. A turn that has written for long
 * leaves the rest to the next turns, a slice in each behind what is new there: a fan-out to thousands
 * must not keep the others waiting.
 */
export class Writes {
  /** Grows with what is left of live traffic, in every turn in which some is. */
  liveTraffic = 0;
  readonly #gateway: Gateway;
  readonly #new: Client[] = [];
  /** Outputs that a turn had no time for. */
  readonly #late = new Deque<Client>();
  /** Live traffic when outputs were written last. */
  #before = 0;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** `isWide`: what it got has gone to so many that the others are before them. */
  add(client: Client, isWide: boolean): void {
    if (isWide) this.#late.push(client);
    else this.#new.push(client);
  }

  get isLate(): boolean {
    return this.#late.size > 0;
  }

  /** At the end of a turn. */
  flush(): void {
    const { clock } = this.#gateway;
    const until = clock.now() + WRITE_SLICE;
    this.#writeNew(until);
    do {
      for (let left = WRITES_PER_LOOK; left > 0 && this.#late.size > 0; left--) {
        this.#write(this.#late.shift() as Client);
      }
    } while (this.#late.size > 0 && clock.now() < until);
  }

  /** Within a turn: what is late has its slice at the end. */
  flushNew(): void {
    this.#writeNew(this.#gateway.clock.now() + WRITE_SLICE);
  }

  #writeNew(until: number): void {
    const clients = this.#new;
    const { clock } = this.#gateway;
    let i = 0;
    do {
      const end = Math.min(clients.length, i + WRITES_PER_LOOK);
      for (; i < end; i++) this.#write(clients[i] as Client);
    } while (i < clients.length && clock.now() < until);
    for (; i < clients.length; i++) this.#late.push(clients[i] as Client);
    clients.length = 0;
    this.#countLate();
  }

  /**
   * What is left of live traffic is live traffic, until nothing is left; what is left when only
   * backlogs are read must not hold them back.
   */
  #countLate(): void {
    const { liveTraffic } = this.#gateway;
    if (this.#late.size > 0 && liveTraffic !== this.#before) this.liveTraffic++;
    this.#before = liveTraffic;
  }

  #write(client: Client): void {
    client.dirty = false;
    client.output.flush();
    this.#gateway.countBacklog(client);
    client.holdForOutput();
  }
}
