import type { Logger } from "@canopy/base";
import type { ShardPeer } from "@canopy/store";
import { dropInterests } from "./interests.ts";
import { GatewayLink } from "./link.ts";
import type { Shares } from "./share/shares.ts";
import type { Subscribers } from "./subscribers.ts";

export interface GatewaysParts {
  readonly subscribers: Subscribers;
  readonly shares: Shares;
  readonly logger: Logger;
  /** By the control log: it comes back when its attachment ends. */
  readonly isLive: (gateway: number) => boolean;
  /** By the control log: it never does. */
  readonly isDown: (gateway: number) => boolean;
  /** Pushes to this attachment what its gateway has not acknowledged to earlier ones, in its order. */
  readonly pushAgain: (link: GatewayLink) => void;
}

/**
 * Attachments of gateways. One that ends while its gateway is live leaves its interests behind: answers
 * go on waiting for what the gateway would have had, until it has said its interests anew or is down.
 * The next attachment begins with what was pushed and not acknowledged, and gets what matches those
 * interests: who receives it drops what comes a second time, so nothing may come before what came first.
 */
export class Gateways {
  readonly #parts: GatewaysParts;
  readonly #links = new Map<number, GatewayLink>();
  /** Those whose interests still count after their end. */
  readonly #former = new Map<number, GatewayLink>();

  constructor(parts: GatewaysParts) {
    this.#parts = parts;
  }

  get(gateway: number): GatewayLink | undefined {
    return this.#links.get(gateway);
  }

  attach(gateway: number, peer: ShardPeer): void {
    this.detach(gateway);
    if (this.#parts.isDown(gateway)) return;
    const link = new GatewayLink(gateway, peer, this.#parts.logger);
    this.#links.set(gateway, link);
    const former = this.#former.get(gateway);
    if (former === undefined) return;
    former.succeed(link);
    this.#parts.pushAgain(link);
    former.passOn(link);
  }

  detach(gateway: number): void {
    const link = this.#links.get(gateway);
    if (link === undefined) return;
    this.#links.delete(gateway);
    this.#parts.shares.part(link);
    const former = this.#former.get(gateway);
    if (!this.#parts.isLive(gateway)) this.#end(link);
    else if (former !== undefined) {
      link.closed = true;
      former.succeed(undefined);
      link.succeed(former);
      link.passOn(former);
      this.#replace(link);
    } else {
      link.closed = true;
      this.#former.set(gateway, link);
    }
  }

  /** The present attachment has said all interests. */
  complete(gateway: number): void {
    const former = this.#former.get(gateway);
    if (former === undefined || !this.#links.has(gateway)) return;
    this.#former.delete(gateway);
    this.#replace(former);
  }

  down(gateway: number): void {
    const former = this.#former.get(gateway);
    this.#former.delete(gateway);
    if (former !== undefined) this.#end(former);
    const link = this.#links.get(gateway);
    this.#links.delete(gateway);
    if (link !== undefined) this.#end(link);
  }

  #end(link: GatewayLink): void {
    this.#parts.shares.leaveAll(link);
    dropInterests(this.#parts.subscribers, link);
    link.end();
  }

  #replace(link: GatewayLink): void {
    this.#parts.shares.handOver(link);
    dropInterests(this.#parts.subscribers, link);
    link.replaced();
  }
}
