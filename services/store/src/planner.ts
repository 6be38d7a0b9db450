import { RecordView } from "@canopy/codec";
import type { Topic } from "@canopy/topic";
import type { Counters } from "./counters.ts";
import { Draft } from "./draft.ts";
import { type Entry, PASSES, REPEATED, STORED } from "./entry.ts";
import type { Match } from "./match.ts";
import type { Owner } from "./owner.ts";
import type { Queue } from "./queue.ts";
import type { ShardQueues } from "./queues.ts";
import { type Receipts, WILL_KEYS } from "./receipts.ts";
import type { RetainedChanges, RetainedLimit } from "./retention.ts";

const NO_BODY = -1;

/** What a message does to the retained value of its topic. */
const LEAVES = 0;
const SETS = 1;
const REMOVES = 2;

/** What is known of the shard's contents now. */
export interface Contents {
  readonly owner: Owner;
  readonly queues: ShardQueues;
  readonly receipts: Receipts;
  readonly changes: RetainedChanges;
}

/** Decides what must be kept of a message, and puts the batch's append together. */
export class Planner {
  readonly #contents: Contents;
  readonly #limit: RetainedLimit;
  readonly #counters: Counters;
  readonly #view = new RecordView();

  constructor(contents: Contents, limit: RetainedLimit, counters: Counters) {
    this.#contents = contents;
    this.#limit = limit;
    this.#counters = counters;
  }

  /**
   * A message that may need the disk, or is behind one that does. False if it would need more than
   * `room` bytes of memory: then it is not in the entry.
   */
  add(entry: Entry, index: number, match: Match, room: number): boolean {
    const { batch, records } = entry;
    const session = batch.receiptSessions[index] as number;
    const start = records.starts[index] as number;
    const end = records.ends[index] as number;
    const view = this.#view.set(records.bytes, start, end);
    const { qos } = view;
    if (session !== 0 && this.#isRepeated(session, batch.receiptKeys[index] as number)) {
      entry.add(index, match, qos, REPEATED, NO_BODY);
      return true;
    }
    if (entry.bytes + end - start > room) return false;
    const posts = qos > 0 && match.queues.length > 0;
    const topic = (records.topics[index] as Topic).name;
    const retained = view.retain ? this.#retention(entry, topic) : LEAVES;
    if (!posts && retained === LEAVES && session === 0) {
      entry.add(index, match, qos, PASSES, NO_BODY);
      return true;
    }
    const draft = (entry.draft ??= new Draft());
    const body = posts || retained === SETS ? draft.add(start, end, view.expiresAt) : NO_BODY;
    if (posts) this.#post(draft, match.queues, body, end - start);
    if (retained !== LEAVES) this.#retain(draft, topic, retained === SETS ? body : NO_BODY);
    if (session !== 0) this.#receipt(draft, session, batch.receiptKeys[index] as number);
    entry.add(index, match, qos, STORED, body);
    return true;
  }

  /** It has been stored, or is on its way, so it must not be sent on again [MQTT-4.3.3-10]. */
  #isRepeated(session: number, key: number): boolean {
    const { owner, receipts } = this.#contents;
    return receipts.isInFlight(session, key) || (owner.known?.hasReceipt(session, key) ?? false);
  }

  #post(draft: Draft, queues: readonly Queue[], body: number, size: number): void {
    for (let i = 0; i < queues.length; i++) {
      draft.post(queues[i] as Queue, body, size, this.#contents.queues);
    }
  }

  #retention(entry: Entry, topic: string): typeof LEAVES | typeof SETS | typeof REMOVES {
    const { owner, changes } = this.#contents;
    const isThere = changes.has(topic) || (owner.known?.hasRetained(topic) ?? false);
    // [MQTT-3.3.1-6], [MQTT-3.3.1-7]: an empty payload removes the value and is no value itself.
    if (this.#view.payloadStart === this.#view.payloadEnd) return isThere ? REMOVES : LEAVES;
    if (isThere) return SETS;
    if (this.#limit.take()) {
      entry.newRetained++;
      return SETS;
    }
    this.#counters.notRetained++;
    return LEAVES;
  }

  #retain(draft: Draft, topic: string, body: number): void {
    this.#contents.changes.began(topic);
    draft.retain(topic, body);
  }

  #receipt(draft: Draft, session: number, key: number): void {
    const { receipts } = this.#contents;
    if (key >= WILL_KEYS) {
      for (const older of receipts.olderWills(session, key)) {
        receipts.forgetWill(session, older);
        draft.receipt(session, older, false);
      }
    }
    receipts.began(session, key);
    draft.receipt(session, key, true);
  }
}
