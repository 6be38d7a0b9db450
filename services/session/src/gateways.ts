import type { GatewayPeer, SessionState } from "@canopy/session";
import type { Background } from "./background.ts";
import type { Propose } from "./replica.ts";

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
  readonly #peers = new Map<number, GatewayPeer>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  peer(gateway: number): GatewayPeer | undefined {
    return this.#peers.get(gateway);
  }

  async register(peer: GatewayPeer): Promise<number> {
    const gateway = await this.#parts.propose({ type: "gateway-up" });
    this.#peers.set(gateway, peer);
    return gateway;
  }

  /** Settles when all of its sessions are released, or the service has stopped. */
  async down(gateway: number): Promise<void> {
    this.#peers.delete(gateway);
    // First it is kept from opening more; only then the list of what it has is complete.
    if (!(await this.#release(gateway, []))) return;
    const sessions: number[] = [];
    for (const session of this.#parts.state().sessions()) {
      if (session.gateway === gateway) sessions.push(session.incarnation);
    }
    for (let i = 0; i < sessions.length; i += BATCH) {
      if (!(await this.#release(gateway, sessions.slice(i, i + BATCH)))) return;
    }
  }

  /** After a start no gateway of the state is alive: each registers anew. */
  async allDown(): Promise<void> {
    const gateways = new Set(this.#parts.state().gateways());
    for (const session of this.#parts.state().sessions()) {
      if (session.gateway !== 0) gateways.add(session.gateway);
    }
    for (const gateway of gateways) await this.down(gateway);
  }

  #release(gateway: number, sessions: readonly number[]): Promise<boolean> {
    const { propose, background } = this.#parts;
    return background.until("releasing a gateway's sessions", () =>
      propose({ type: "gateway-down", gateway, sessions }),
    );
  }
}
