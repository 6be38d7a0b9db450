import type { GatewayPeer, SessionState } from "@canopy/session";
import type { Background } from "./background.ts";
import { inSlices } from "./in-slices.ts";
import type { Propose } from "./proposing.ts";

/** Sessions per command: one that is so large that others wait for it would be noticed. */
const BATCH = 1_000;

interface Parts {
  readonly state: () => SessionState;
  readonly propose: Propose;
  readonly background: Background;
}

/** The gateways that live, and the end of those that don't. */
export class Gateways {
  readonly #parts: Parts;
  /** By the group's own numbers. */
  readonly #peers = new Map<number, GatewayPeer>();
  /** Incarnation → the group's number for it, in this leadership. */
  readonly #numbers = new Map<number, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  peer(gateway: number): GatewayPeer | undefined {
    return this.#peers.get(gateway);
  }

  /** Undefined if it has not attached in this leadership, or is gone. */
  number(incarnation: number): number | undefined {
    return this.#numbers.get(incarnation);
  }

  async attach(incarnation: number, peer: GatewayPeer): Promise<void> {
    const known = this.#numbers.get(incarnation);
    const gateway = known ?? (await this.#parts.propose({ type: "gateway-up" }));
    this.#numbers.set(incarnation, gateway);
    this.#peers.set(gateway, peer);
  }

  /** Settles when all of its sessions are released, or this leadership has ended. */
  async down(incarnation: number): Promise<void> {
    const gateway = this.#numbers.get(incarnation);
    if (gateway === undefined) return;
    this.#numbers.delete(incarnation);
    this.#peers.delete(gateway);
    await this.#end([gateway], (owner) => owner === gateway);
  }

  /** No gateway of an earlier leadership is alive for this one: each registers anew. */
  async allDown(): Promise<void> {
    const { state } = this.#parts;
    const known = [...state().gateways()].filter((gateway) => !this.#peers.has(gateway));
    await this.#end(known, (owner) => owner !== 0 && !this.#peers.has(owner));
  }

  async #end(gateways: readonly number[], isGone: (gateway: number) => boolean): Promise<void> {
    const { state, background } = this.#parts;
    // First they are kept from opening more; only then the list of what they have is complete.
    const refused = await Promise.all(gateways.map((gateway) => this.#release(gateway, [])));
    if (refused.includes(false)) return;
    const held = new Map<number, number[]>();
    const whole = await inSlices(
      state().sessions(),
      ({ gateway, incarnation }) => {
        if (!isGone(gateway)) return;
        const sessions = held.get(gateway);
        if (sessions === undefined) held.set(gateway, [incarnation]);
        else sessions.push(incarnation);
      },
      () => background.stopped,
    );
    if (!whole) return;
    for (const [gateway, sessions] of held) {
      for (let i = 0; i < sessions.length; i += BATCH) {
        if (!(await this.#release(gateway, sessions.slice(i, i + BATCH)))) return;
      }
    }
  }

  #release(gateway: number, sessions: readonly number[]): Promise<boolean> {
    const { propose, background } = this.#parts;
    return background.until("releasing a gateway's sessions", () =>
      propose({ type: "gateway-down", gateway, sessions }),
    );
  }
}
