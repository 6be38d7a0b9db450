import type { NotTaken, PublishBatch } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import type { Counters } from "./counters.ts";
import type { Given } from "./entry.ts";
import type { Origin } from "./link.ts";
import type { Match } from "./match.ts";
import type { Pusher } from "./push.ts";
import { QUOTA_EXCEEDED, UNSPECIFIED_ERROR } from "./reason.ts";
import { flagsOf } from "./record.ts";
import { isLeftOut, isTakenOut, qosAt } from "./sent.ts";
import type { Subscribers } from "./subscribers.ts";

/** The same answer to everything that has to be answered. */
function answerAll(origin: Origin, batch: PublishBatch, reasonCode: number, epoch: number): void {
  const { records } = batch;
  for (let i = 0; i < records.count && !origin.closed; i++) {
    if (isTakenOut(records, i) || qosAt(records, i) === 0) continue;
    origin.answered(batch, i, reasonCode, epoch);
  }
  if (!origin.closed) origin.released(batch);
}

/** To messages that were withdrawn, of a batch that is not stored: any answer ends them. */
export function answerLeft({ origin, batch }: Given, epoch: number): void {
  const { records } = batch;
  for (let i = 0; i < records.count && !origin.closed; i++) {
    if (!isLeftOut(batch, i) || isTakenOut(records, i)) continue;
    origin.answered(batch, i, UNSPECIFIED_ERROR, epoch);
  }
}

/** Why nothing was done with a batch, and what who never gives one again hears instead. */
export interface Refusal {
  readonly reason: NotTaken;
  readonly reasonCode: number;
  readonly epoch: number;
}

/** Nothing was done with a batch. Wills, of gateway 0, hear of it as those do who give it again. */
export function decline(
  { origin, batch, sender }: Given,
  refusal: Refusal,
  counters: Counters,
): void {
  if (origin.closed) return;
  if (sender !== undefined || batch.gateway === 0) {
    origin.notTaken(batch, refusal.reason);
    return;
  }
  const { records } = batch;
  for (let i = 0; i < records.count; i++) if (qosAt(records, i) === 0) counters.refused++;
  answerAll(origin, batch, refusal.reasonCode, refusal.epoch);
}

/** Of a batch for which there is no room QoS 0 goes on where it may; all that has to be answered is refused. */
export function refuseAll(
  { origin, batch }: Given,
  parts: {
    readonly subscribers: Subscribers;
    readonly pusher: Pusher;
    readonly counters: Counters;
  },
  shard: {
    readonly epoch: number;
    readonly latest: number;
    readonly mayPass: (match: Match, flags: number) => boolean;
  },
): void {
  const { subscribers, pusher, counters } = parts;
  const { records } = batch;
  for (let i = 0; i < records.count; i++) {
    if (isTakenOut(records, i) || qosAt(records, i) !== 0) continue;
    const match = subscribers.match(records.topics[i] as Topic, shard.latest);
    const flags = flagsOf(records.bytes, records.starts[i] as number);
    if (shard.mayPass(match, flags)) pusher.add(match, i, 0, 0);
    else counters.refused++;
  }
  pusher.flush(batch, shard.epoch, records);
  answerAll(origin, batch, QUOTA_EXCEEDED, shard.epoch);
}
