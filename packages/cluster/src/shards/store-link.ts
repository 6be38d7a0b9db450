import type {
  Dispatch,
  Missed,
  NotTaken,
  PublishBatch,
  Push,
  ShardPeer,
  Shards,
} from "@canopy/store";
import type { Inbound, Source } from "./inbound.ts";
import type { Given } from "./kept.ts";
import type { Members } from "./members.ts";

/** One attachment of the gateway to one store process: ends with the connection. */
export class StoreLink implements ShardPeer, Source {
  readonly store: number;
  readonly node: Shards;
  readonly #gateway: number;
  readonly #inbound: Inbound;
  readonly #members: Members;
  /** All interests that there were when it began are in force. */
  isInForce = false;
  isClosed = false;

  constructor(store: number, node: Shards, gateway: number, inbound: Inbound, members: Members) {
    this.store = store;
    this.node = node;
    this.#gateway = gateway;
    this.#inbound = inbound;
    this.#members = members;
  }

  /** What members have not finished, of the shards that the process owns. */
  sayHeld(isOwned: (shard: number) => boolean): void {
    for (const { member, shard, offsets } of this.#members.held()) {
      if (isOwned(shard)) this.node.holds?.(this.#gateway, member, shard, offsets);
    }
  }

  close(): void {
    this.isClosed = true;
  }

  // --- what the store process says --------------------------------------------------------------

  answered(batch: PublishBatch, index: number, reasonCode: number, epoch: number): void {
    const given = batch as Given;
    if (!this.isClosed) given.lane.answered(given, index, reasonCode, epoch);
  }

  released(batch: PublishBatch): void {
    const given = batch as Given;
    given.lane.released(given);
  }

  notTaken(batch: PublishBatch, reason: NotTaken): void {
    const given = batch as Given;
    given.lane.notTaken(given, reason);
  }

  push(push: Push): void {
    if (!this.isClosed) this.#inbound.push(this, push);
  }

  dispatch(message: Dispatch): void {
    if (this.isClosed) return;
    // before the gateway hears of it: it may be settled within the call
    if (!this.#inbound.isOutdated(message)) {
      const returned = this.#members.returned(message);
      if (returned !== undefined) this.node.leave(this.#gateway, message.member, [], [returned]);
      this.#members.dispatched(message);
    }
    this.#inbound.dispatch(this, message);
  }

  missed(missed: Missed): void {
    if (!this.isClosed) this.#inbound.missed(this, missed);
  }

  acknowledge(number: number): void {
    if (!this.isClosed) this.node.acknowledged(this.#gateway, number);
  }
}
