import type { VersionedChange } from "@canopy/control";
import type { SessionState } from "@canopy/session";
import type { Background } from "./background.ts";
import type { Propose } from "./proposing.ts";
import type { Cluster } from "./stores.ts";

interface Parts {
  readonly cluster: Cluster;
  readonly state: () => SessionState;
  readonly propose: Propose;
  readonly background: Background;
}

/**
 * Tells the group what the control log says of gateways and stores, one command at a time: the
 * difference between what the group knows and what this node knows, where that is later.
 */
export class Membership {
  readonly #parts: Parts;
  /** Of the control log: up to here something has happened that the group has to know. */
  #due: number;
  #running: Promise<boolean> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#due = parts.cluster.version;
  }

  changed(changes: readonly VersionedChange[], version: number): void {
    if (changes.some(({ change }) => concerns(change.type))) this.#due = version;
  }

  /** Settles when the group knows what this node knows, or the leadership has ended. */
  async follow(): Promise<void> {
    while (this.#parts.state().version < this.#due && !this.#parts.background.stopped) {
      this.#running ??= this.#propose().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
  }

  #propose(): Promise<boolean> {
    const { propose, background } = this.#parts;
    return background.until("following the control log", async () => {
      const members = this.#difference();
      if (members !== undefined) await propose(members);
    });
  }

  /** Undefined if the group has come further meanwhile. */
  #difference() {
    const { cluster } = this.#parts;
    const state = this.#parts.state();
    const { version } = cluster;
    if (version <= state.version) return undefined;
    const isLive = (incarnation: number) => cluster.member(incarnation) !== undefined;
    const [gateways, stores] = [new Set(state.gateways()), new Set(state.stores())];
    const gatewaysUp: number[] = [];
    const storesUp: number[] = [];
    for (const { kind, incarnation } of cluster.members()) {
      if (kind === "store" && !stores.has(incarnation)) storesUp.push(incarnation);
      if (kind === "gateway" && !gateways.has(incarnation)) gatewaysUp.push(incarnation);
    }
    // One that is down is not gone yet: not every store refuses its appends.
    const gatewaysGone = [...gateways].filter((one) => !isLive(one) && !cluster.isDown(one));
    const storesDown = [...stores].filter((one) => !isLive(one));
    const type = "members" as const;
    return { type, version, gatewaysUp, gatewaysGone, storesUp, storesDown };
  }
}

function concerns(type: VersionedChange["change"]["type"]): boolean {
  return type === "member-up" || type === "gateway-gone" || type === "store-down";
}
