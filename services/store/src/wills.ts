import { Deferred } from "@canopy/base";
import { RecordView } from "@canopy/codec";
import { type PublishBatch, StoreError } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import type { Origin } from "./link.ts";
import { errorOf, UNSPECIFIED_ERROR } from "./reason.ts";
import { WILL_KEYS } from "./receipts.ts";
import type { Shard } from "./shard.ts";

/** A will's batch, and who waits for it. */
class WillOrigin implements Origin {
  readonly closed = false;
  readonly done: Deferred = new Deferred();

  answered(_batch: PublishBatch, _index: number, reasonCode: number): void {
    if (reasonCode >= UNSPECIFIED_ERROR) this.done.reject(errorOf(reasonCode));
  }

  notTaken(batch: PublishBatch): void {
    this.done.reject(new StoreError("not-owner", `shard ${batch.shard} is somebody else's`));
  }

  /** At QoS 0 there is no answer. */
  released(): void {
    this.done.resolve();
  }
}

/** Publishes wills [MQTT-3.1.2-8], each once: a receipt says that it has been stored. */
export class Wills {
  readonly #shards: readonly Shard[];
  readonly #topics: TopicTable;
  readonly #view = new RecordView();

  constructor(shards: readonly Shard[], topics: TopicTable) {
    this.#shards = shards;
    this.#topics = topics;
  }

  async publish(incarnation: number, epoch: number, record: Uint8Array): Promise<void> {
    const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
    const view = this.#view.set(bytes, 0, bytes.length);
    const topic = this.#topics.intern(bytes, view.topicStart + 2, view.topicEnd);
    if (topic === undefined) throw new StoreError("invalid", "a will with an invalid topic name");
    const shard = this.#shards[topic.shard] as Shard;
    const key = WILL_KEYS + epoch;
    // A will at QoS 0 that is not retained never touches the disk.
    const session = view.qos > 0 || view.retain ? incarnation : 0;
    const origin = new WillOrigin();
    shard.publish(origin, {
      shard: shard.number,
      gateway: 0,
      seq: 0,
      records: {
        bytes,
        length: bytes.length,
        count: 1,
        starts: [0],
        ends: [bytes.length],
        topics: [topic],
      },
      receiptSessions: [session],
      receiptKeys: [key],
    });
    await origin.done.promise;
    this.#forgetOlder(incarnation, key, shard);
  }

  /** In the will's own shard they went with the append. */
  #forgetOlder(incarnation: number, key: number, own: Shard): void {
    for (const shard of this.#shards) {
      if (shard === own) continue;
      for (const older of shard.receipts.olderWills(incarnation, key)) {
        shard.receipts.forgetWill(incarnation, older);
        // One that stays goes when the session ends.
        shard.sideWrites.forget(incarnation, older).catch(() => {});
      }
    }
  }
}
