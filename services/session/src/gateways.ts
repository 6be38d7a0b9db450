import { Deferred } from "@canopy/base";
import { type GatewayPeer, SessionError, type SessionState } from "@canopy/session";
import type { Background } from "./background.ts";
import { inSlices } from "./in-slices.ts";
import type { Propose } from "./proposing.ts";

/** Sessions per command: one that is so large that others wait for it would be noticed. */
const BATCH = 1_000;

interface Parts {
  readonly state: () => SessionState;
  readonly propose: Propose;
  readonly background: Background;
  /** The gateway can be asked now. */
  readonly onAttached: (gateway: number) => void;
}

interface Attaching {
  readonly gateway: number;
  readonly peer: GatewayPeer;
  readonly done: Deferred;
}

/** The gateways that the group knows, and the end of those that are gone. */
export class Gateways {
  readonly #parts: Parts;
  readonly #peers = new Map<number, GatewayPeer>();
  /** Gateways that the group does not know yet. */
  readonly #attaching = new Set<Attaching>();
  /** What the last look at gateways and sessions was about. */
  #version = -1;
  #releasing: Promise<void> | undefined;
  /** A gateway may be gone that the release under way does not know of. */
  #again = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Undefined for one that has not attached in this leadership. */
  peer(gateway: number): GatewayPeer | undefined {
    return this.#peers.get(gateway);
  }

  /** Throws for a gateway that may open nothing: not yet, or not any more. */
  require(gateway: number): void {
    const state = this.#parts.state();
    if (state.hasGateway(gateway)) return;
    if (state.version < gateway) {
      throw new SessionError("unavailable", "the gateway is not known to its clients' group yet");
    }
    throw gatewayGone();
  }

  async attach(gateway: number, peer: GatewayPeer): Promise<void> {
    const attaching = { gateway, peer, done: new Deferred() };
    this.#attaching.add(attaching);
    this.#settle(attaching);
    await attaching.done.promise;
  }

  /** After commands were applied: who waited to be known is, and sessions of who is gone are released. */
  update(): void {
    const { version } = this.#parts.state();
    if (this.#version === version) return;
    this.#version = version;
    for (const attaching of this.#attaching) this.#settle(attaching);
    void this.releaseOrphans();
  }

  /** Settles when no session belongs to a gateway that is gone, or this leadership has ended. */
  async releaseOrphans(): Promise<void> {
    this.#again = true;
    while (this.#again && !this.#parts.background.stopped) {
      this.#releasing ??= this.#release().finally(() => {
        this.#releasing = undefined;
      });
      await this.#releasing;
    }
  }

  stop(why: SessionError): void {
    for (const { done } of this.#attaching) done.reject(why);
    this.#attaching.clear();
    for (const peer of this.#peers.values()) peer.ended?.(why);
    this.#peers.clear();
  }

  #settle(attaching: Attaching): void {
    const { gateway, peer, done } = attaching;
    const state = this.#parts.state();
    if (state.hasGateway(gateway)) {
      this.#peers.set(gateway, peer);
      done.resolve();
      this.#parts.onAttached(gateway);
    } else if (state.version >= gateway) {
      done.reject(gatewayGone());
    } else {
      return;
    }
    this.#attaching.delete(attaching);
  }

  /** A gateway that is gone opens nothing, so the list of what it has is complete. */
  async #release(): Promise<void> {
    const { state, background } = this.#parts;
    this.#again = false;
    for (const [gateway, peer] of this.#peers) {
      if (state().hasGateway(gateway)) continue;
      this.#peers.delete(gateway);
      peer.ended?.(gatewayGone());
    }
    const held = new Map<number, number[]>();
    const isWhole = await inSlices(
      state().sessions(),
      ({ gateway, incarnation }) => {
        if (gateway === 0 || state().hasGateway(gateway)) return;
        const sessions = held.get(gateway);
        if (sessions === undefined) held.set(gateway, [incarnation]);
        else sessions.push(incarnation);
      },
      () => background.stopped,
    );
    if (!isWhole) return;
    for (const [gateway, sessions] of held) {
      for (let i = 0; i < sessions.length; i += BATCH) {
        if (!(await this.#releaseSome(gateway, sessions.slice(i, i + BATCH)))) return;
      }
    }
  }

  #releaseSome(gateway: number, sessions: readonly number[]): Promise<boolean> {
    const { propose, background } = this.#parts;
    return background.until("releasing a gateway's sessions", () =>
      propose({ type: "gateway-down", gateway, sessions }),
    );
  }
}

function gatewayGone(): SessionError {
  return new SessionError("stale", "the gateway is gone");
}
