import type { Counters } from "./counters.ts";
import { type Entry, STORED } from "./entry.ts";
import type { ExpiringRetained } from "./expiring.ts";
import type { QueueLimits } from "./options.ts";
import type { Contents } from "./planner.ts";
import type { QueueState } from "./queues.ts";
import type { RetainedLimit } from "./retention.ts";
import { isSent } from "./sent.ts";

export interface SettlingParts {
  readonly counters: Counters;
  readonly limit: RetainedLimit;
  readonly limits: QueueLimits;
  /** A queue grows so fast that its limits should be looked at now. */
  readonly urgent: () => void;
}

/** What is known of a shard's contents follows what has become of an append. */
export function settleDraft(
  entry: Entry,
  contents: Contents & { readonly expiring: ExpiringRetained },
  parts: SettlingParts,
): void {
  const { draft, failure } = entry;
  if (draft === undefined) return;
  const { counters, limit } = parts;
  const { changes, expiring, queues, receipts } = contents;
  draft.forEachRetained((topic, expiresAt) => {
    changes.ended(topic);
    if (failure === 0) expiring.set(topic, expiresAt);
  });
  for (const posting of draft.postings) {
    queues.settled(posting, failure === 0);
    watchLimits(posting.state, parts);
  }
  draft.forEachReceipt((session, key) => receipts.ended(session, key));
  if (entry.newRetained > 0) limit.settled(entry.newRetained);
  if (failure === 0) counters.storedMessages += draft.count;
  else counters.notRetained += unretained(entry);
}

/** So that between two maintenance passes a queue goes beyond its limits by a part of them only. */
function watchLimits(state: QueueState, { limits, urgent }: SettlingParts): void {
  const isFull = state.bytes > limits.maxQueuedBytes || state.messages > limits.maxQueuedMessages;
  const isFast =
    state.fresh > limits.maxQueuedBytes / 16 || state.freshMessages > limits.maxQueuedMessages / 16;
  if (isFull && isFast) urgent();
}

/** QoS 0 messages that were to be retained and are only sent. */
function unretained(entry: Entry): number {
  let count = 0;
  for (let i = 0; i < entry.indexes.length; i++) {
    if (entry.fates[i] === STORED && isSent(entry, i)) count++;
  }
  return count;
}
