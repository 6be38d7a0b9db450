import type { Logger } from "@canopy/base";
import type { Dispatch, PublishBatch, Push, ShardPeer } from "@canopy/store";
import type { Member } from "./share/member.ts";

/** Who gave a batch and hears what became of it. */
export interface Origin {
  /** Gone: nobody is there to be told. */
  readonly closed: boolean;
  answered(batch: PublishBatch, index: number, reasonCode: number, epoch: number): void;
  released(batch: PublishBatch): void;
}

/** A gateway that is registered, and what it asked for. */
export class GatewayLink implements Origin {
  readonly gateway: number;
  readonly peer: ShardPeer;
  closed = false;
  /** Filter → how many of the gateway's additions have not been taken back. */
  readonly interests: Map<string, number> = new Map();
  /** Shared subscriptions' members by their number. */
  readonly members: Map<number, Member> = new Map();
  /** Of the push that is being put together for it (push.ts). */
  indexes: number[] = [];
  offsets: number[] = [];
  #sent = 0;
  #acknowledged = 0;

  readonly #logger: Logger;

  constructor(gateway: number, peer: ShardPeer, logger: Logger) {
    this.gateway = gateway;
    this.peer = peer;
    this.#logger = logger;
  }

  /** For the next push or dispatch. */
  nextNumber(): number {
    return ++this.#sent;
  }

  acknowledge(number: number): void {
    if (number > this.#acknowledged) this.#acknowledged = number;
  }

  push(push: Push): void {
    if (this.closed) return;
    try {
      this.peer.push(push);
    } catch (error) {
      this.#failed(error);
    }
  }

  dispatch(dispatch: Dispatch): void {
    if (this.closed) return;
    try {
      this.peer.dispatch(dispatch);
    } catch (error) {
      this.#failed(error);
    }
  }

  answered(batch: PublishBatch, index: number, reasonCode: number, epoch: number): void {
    this.peer.answered(batch, index, reasonCode, epoch);
  }

  released(batch: PublishBatch): void {
    this.peer.released(batch);
  }

  /** One gateway's mistake must not keep messages from the others. */
  #failed(error: unknown): void {
    this.#logger.error({ err: error, gateway: this.gateway }, "a gateway failed to take a message");
  }
}
