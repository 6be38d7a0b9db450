import type {
  Dispatch,
  InterestChange,
  NotTaken,
  Offset,
  PublishBatch,
  Push,
  ReadRequest,
  RetainedRequest,
  Returned,
  ShardCounts,
  ShardPeer,
  ShardReadResult,
  ShardRetainedPage,
  Shards,
  ShareMember,
} from "@canopy/store";
import { StoreError } from "@canopy/store";
import type { ModelStore } from "./store.ts";
import type { Channel } from "./wire.ts";

/** A connection to a store process: every call and every word of the process is a message. */
export class ModelNode implements Shards {
  readonly shards: number;
  readonly #store: ModelStore;
  readonly #to: Channel;
  readonly #from: Channel;
  readonly #pending = new Set<(error: unknown) => void>();

  constructor(shards: number, store: ModelStore, to: Channel, from: Channel) {
    this.shards = shards;
    this.#store = store;
    this.#to = to;
    this.#from = from;
  }

  cut(): void {
    this.#to.cut();
    this.#from.cut();
    for (const reject of this.#pending) reject(new StoreError("unavailable", "disconnected"));
  }

  register(gateway: number, peer: ShardPeer): void {
    const remote = new Remote(peer, this.#from);
    this.#to.send(() => this.#store.register(gateway, remote));
  }

  unregister(): void {}

  known(gateway: number, version: number): void {
    this.#to.send(() => this.#store.known(gateway, version));
  }

  resume(gateway: number, shard: number, epoch: number, seq: number): void {
    this.#to.send(() => this.#store.resume(gateway, shard, epoch, seq));
  }

  /** Its records are read when it arrives: whoever uses them again before that is found out. */
  publish(batch: PublishBatch): void {
    this.#to.send(() => {
      const { shard, gateway, seq, receiptSessions, receiptKeys } = batch;
      const { bytes, ...others } = batch.records;
      const records = { ...others, bytes: Buffer.from(bytes) };
      const copy = { shard, gateway, seq, receiptSessions, receiptKeys, records };
      this.#store.publish(Object.assign(copy, { original: batch }));
    });
  }

  acknowledged(gateway: number, number: number): void {
    this.#to.send(() => this.#store.acknowledged(gateway, number));
  }

  interests(gateway: number, _changes: readonly InterestChange[]): Promise<readonly Offset[]> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      this.#to.send(() => {
        const heads = this.#store.interested(gateway);
        this.#from.send(() => {
          this.#pending.delete(reject);
          resolve(heads);
        });
      });
    });
  }

  read(_requests: readonly ReadRequest[]): Promise<readonly ShardReadResult[]> {
    return unasked();
  }

  retained(_request: RetainedRequest): Promise<ShardRetainedPage> {
    return unasked();
  }

  retainedAt(): Promise<Uint8Array | undefined> {
    return unasked();
  }

  receipts(): Promise<readonly { readonly shard: number; readonly key: number }[]> {
    return unasked();
  }

  forget(): Promise<void> {
    return unasked();
  }

  join(_gateway: number, _member: ShareMember): void {}

  leave(_gateway: number, _member: number, _keep: unknown, _returned: readonly Returned[]): void {}

  settle(): void {}

  settleDurably(): Promise<void> {
    return unasked();
  }

  counts(): ShardCounts {
    const none = { retained: 0, queuedMessages: 0, queuedBytes: 0 };
    return { ...none, dropped: 0, notRetained: 0, storedMessages: 0 };
  }
}

/** What the store process says, on its way back. */
class Remote implements ShardPeer {
  readonly #peer: ShardPeer;
  readonly #from: Channel;

  constructor(peer: ShardPeer, from: Channel) {
    this.#peer = peer;
    this.#from = from;
  }

  answered(batch: PublishBatch, index: number, reasonCode: number, epoch: number): void {
    this.#from.send(() => this.#peer.answered(originalOf(batch), index, reasonCode, epoch));
  }

  released(batch: PublishBatch): void {
    this.#from.send(() => this.#peer.released(originalOf(batch)));
  }

  notTaken(batch: PublishBatch, reason: NotTaken): void {
    this.#from.send(() => this.#peer.notTaken(originalOf(batch), reason));
  }

  push(push: Push): void {
    this.#from.send(() => this.#peer.push(push));
  }

  dispatch(message: Dispatch): void {
    this.#from.send(() => this.#peer.dispatch(message));
  }
}

function originalOf(batch: PublishBatch): PublishBatch {
  return (batch as PublishBatch & { readonly original: PublishBatch }).original;
}

function unasked(): Promise<never> {
  return Promise.reject(new StoreError("unavailable", "not of this model"));
}
