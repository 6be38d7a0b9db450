import { Deferred } from "@canopy/base";
import { RecordView } from "@canopy/codec";
import { SessionError, type WillPublication } from "@canopy/session";
import { type PublishBatch, type SenderSeq, StoreError } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import type { Origin } from "./link.ts";
import { errorOf, UNSPECIFIED_ERROR } from "./reason.ts";
import { WILL_KEYS } from "./receipts.ts";
import { groupName } from "./sender.ts";
import type { Shard } from "./shard.ts";

/** A will's batch, and who waits for it. */
class WillOrigin implements Origin {
  readonly closed = false;
  readonly mark: SenderSeq;
  readonly done: Deferred = new Deferred();

  constructor({ group, term }: WillPublication) {
    this.mark = { sender: groupName(group), term, seq: 1 };
  }

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
  readonly #termOf: (group: number) => number;
  /** Session group → the highest term of its leaders that published a will here. */
  readonly #terms = new Map<number, number>();
  readonly #view = new RecordView();

  constructor(shards: readonly Shard[], topics: TopicTable, termOf: (group: number) => number) {
    this.#shards = shards;
    this.#topics = topics;
    this.#termOf = termOf;
  }

  /** Rejects with `stale` what a former leader says: the present one may have dropped the will. */
  async publish(will: WillPublication): Promise<void> {
    const { incarnation, epoch, record } = will;
    const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
    const view = this.#view.set(bytes, 0, bytes.length);
    const topic = this.#topics.intern(bytes, view.topicStart + 2, view.topicEnd);
    if (topic === undefined) throw new StoreError("invalid", "a will with an invalid topic name");
    const shard = this.#shards[topic.shard] as Shard;
    const key = WILL_KEYS + epoch;
    // A will at QoS 0 that is not retained never touches the disk.
    const session = view.qos > 0 || view.retain ? incarnation : 0;
    if (!shard.isReady) {
      const code = shard.owner.assigned === 0 ? "not-owner" : "unavailable";
      throw new StoreError(code, `shard ${shard.number} accepts nothing here`);
    }
    this.#checkTerm(will, shard);
    const origin = new WillOrigin(will);
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

  /** The highest term is also kept with the shard, for its next owner. */
  #checkTerm({ group, term }: WillPublication, { owner }: Shard): void {
    const stored = owner.known?.sender(groupName(group))?.term ?? 0;
    const known = Math.max(stored, this.#terms.get(group) ?? 0, this.#termOf(group));
    if (term < known) throw new SessionError("stale", "a will of a leader that leads no more");
    this.#terms.set(group, term);
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
