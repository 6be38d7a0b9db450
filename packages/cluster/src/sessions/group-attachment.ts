import { Deferred, type Logger, type Random, type Timers } from "@canopy/base";
import { type GatewayPeer, SessionError, type Sessions } from "@canopy/session";
import { Backoff, pause } from "../control-backoff.ts";
import type { GroupCalls } from "./group-calls.ts";

export interface GroupAttachmentParts {
  readonly calls: GroupCalls<Sessions>;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

/** Keeps a gateway attached to the leader of one group, whoever that is. */
export class GroupAttachment {
  readonly #gateway: number;
  readonly #peer: GatewayPeer;
  readonly #parts: GroupAttachmentParts;
  readonly #first = new Deferred();
  #isOver = false;

  constructor(gateway: number, peer: GatewayPeer, parts: GroupAttachmentParts) {
    this.#gateway = gateway;
    this.#peer = peer;
    this.#parts = parts;
    // it may be over before anybody asks
    this.#first.promise.catch(() => {});
    void this.#run();
  }

  /** Settles when the group knows the gateway; rejects with `stale`, or when it is over. */
  get attached(): Promise<void> {
    return this.#first.promise;
  }

  /** Another one takes its place, or none: nobody is told anything. */
  close(): void {
    this.#isOver = true;
    this.#first.reject(new SessionError("closed", "the gateway is attached no more"));
  }

  async #run(): Promise<void> {
    const { timers, random } = this.#parts;
    const backoff = new Backoff(random);
    while (!this.#isOver) {
      const link = await this.#attach();
      if (this.#isOver) return;
      if (link !== undefined) {
        backoff.reset();
        this.#first.resolve();
        await link.over;
      }
      await pause(timers, backoff.next());
    }
  }

  /** Undefined where it was not done. */
  async #attach(): Promise<Link | undefined> {
    const { calls, logger } = this.#parts;
    const { group } = calls;
    const links: Link[] = [];
    try {
      await calls.call((sessions) => {
        const link = new Link(this.#peer, () => this.#isOver);
        links.push(link);
        return sessions.attach(this.#gateway, link);
      });
      return links.at(-1);
    } catch (error) {
      if (this.#isOver) return undefined;
      if (error instanceof SessionError && isLast(error)) this.#end(error);
      else logger.warn({ err: error, group }, "a session group can't be reached; trying again");
      return undefined;
    }
  }

  #end(error: SessionError): void {
    this.#isOver = true;
    const wasAttached = this.#first.settled;
    this.#first.reject(error);
    if (wasAttached) this.#peer.ended?.(error);
  }
}

/** The gateway as one leader sees it. */
class Link implements GatewayPeer {
  readonly #peer: GatewayPeer;
  readonly #isOver: () => boolean;
  readonly #over = new Deferred();

  constructor(peer: GatewayPeer, isOver: () => boolean) {
    this.#peer = peer;
    this.#isOver = isOver;
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Asked by whichever node takes itself for the leader: the release says who is right. */
  stop(incarnation: number, epoch: number, reason: "taken-over" | "deleted"): void {
    if (!this.#isOver()) this.#peer.stop(incarnation, epoch, reason);
  }

  /** This leader is none any more, or out of reach. */
  readonly ended = (): void => this.#over.resolve();
}

function isLast({ code }: SessionError): boolean {
  return code === "stale" || code === "closed";
}
