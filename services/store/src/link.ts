import { Deque, type Logger } from "@canopy/base";
import type { Dispatch, NotTaken, PublishBatch, Push, SenderSeq, ShardPeer } from "@canopy/store";
import type { Sender } from "./sender.ts";
import type { Member } from "./share/member.ts";

/** Who gave a batch and hears what became of it. */
export interface Origin {
  /** Gone: nobody is there to be told. */
  readonly closed: boolean;
  /** What an append of its messages says of who gave them, where that is not their number. */
  readonly mark: SenderSeq | undefined;
  answered(batch: PublishBatch, index: number, reasonCode: number, epoch: number): void;
  released(batch: PublishBatch): void;
  notTaken(batch: PublishBatch, reason: NotTaken): void;
}

/** What waits until a gateway has acknowledged a push. */
export interface PushWaiter {
  /** Something of it went to one member alone, and is not pushed to the next attachment. */
  readonly isDispatched: boolean;
  /** The push has been taken, or the gateway is down. */
  acknowledged(): void;
  /** Nobody will say whether it has been taken. */
  unknown(): void;
}

interface Awaited {
  readonly number: number;
  readonly waiter: PushWaiter;
}

/** A gateway that is attached, and what it asked for. */
export class GatewayLink implements Origin {
  readonly gateway: number;
  readonly peer: ShardPeer;
  /** Nobody is there any more to be told. */
  closed = false;
  readonly mark = undefined;
  /** Filter → how many of the gateway's additions have not been taken back. */
  readonly interests: Map<string, number> = new Map();
  /** The same of those additions that are transient. */
  readonly transients: Map<string, number> = new Map();
  /** Stands in the trie for what is transient. */
  readonly awaited: AwaitedLink = new AwaitedLink(this);
  /** Shared subscriptions' members by their number. */
  readonly members: Map<number, Member> = new Map();
  /** By shard: of a gateway that gives batches again. */
  readonly senders: (Sender | undefined)[] = [];
  /** Of the push that is being put together for it (push.ts). */
  indexes: number[] = [];
  offsets: number[] = [];
  /** … and whether answers wait for it. */
  isAwaited = false;
  /** The attachment that gets what would go to this one. */
  #successor: GatewayLink | undefined;
  #sent = 0;
  #acknowledged = 0;
  #isReplaced = false;
  /** Ascending by number. */
  readonly #waiting = new Deque<Awaited>();

  readonly #logger: Logger;

  constructor(gateway: number, peer: ShardPeer, logger: Logger) {
    this.gateway = gateway;
    this.peer = peer;
    this.#logger = logger;
  }

  /** This attachment of the gateway, or that which gets now what would go to it. */
  get present(): GatewayLink {
    return this.#successor === undefined ? this : this.#successor.present;
  }

  succeed(link: GatewayLink | undefined): void {
    this.#successor = link;
  }

  /** What was pushed here, and is waited for, has been pushed there, or will be: that is waited for now. */
  passOn(link: GatewayLink): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const awaited of waiting) {
      const { waiter } = awaited;
      if (waiter.isDispatched) this.#waiting.push(awaited);
      else if (link.isBehind || link.closed) link.await(waiter);
      else waiter.acknowledged();
    }
  }

  /** For the next push or dispatch. */
  nextNumber(): number {
    return ++this.#sent;
  }

  /** Something was sent that has not been acknowledged. */
  get isBehind(): boolean {
    return this.#acknowledged < this.#sent;
  }

  /** Tells when everything that was sent so far is acknowledged. */
  await(waiter: PushWaiter): void {
    if (this.#isReplaced) waiter.unknown();
    else this.#waiting.push({ number: this.#sent, waiter });
  }

  acknowledge(number: number): void {
    if (number > this.#acknowledged) this.#acknowledged = number;
    for (;;) {
      const first = this.#waiting.peek();
      if (first === undefined || first.number > this.#acknowledged) return;
      this.#waiting.shift();
      first.waiter.acknowledged();
    }
  }

  /** Its gateway is down: what it was sent concerns nobody any more. */
  end(): void {
    this.closed = true;
    this.acknowledge(Number.POSITIVE_INFINITY);
  }

  /** Another attachment of the gateway has taken its place. */
  replaced(): void {
    this.closed = true;
    this.#isReplaced = true;
    for (let first = this.#waiting.shift(); first !== undefined; first = this.#waiting.shift()) {
      first.waiter.unknown();
    }
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

  notTaken(batch: PublishBatch, reason: NotTaken): void {
    this.peer.notTaken(batch, reason);
  }

  /** One gateway's mistake must not keep messages from the others. */
  #failed(error: unknown): void {
    this.#logger.error({ err: error, gateway: this.gateway }, "a gateway failed to take a message");
  }
}

/** A gateway in the trie a second time, where somebody transient is on the filter at QoS ≥ 1. */
export class AwaitedLink {
  readonly link: GatewayLink;

  constructor(link: GatewayLink) {
    this.link = link;
  }
}
