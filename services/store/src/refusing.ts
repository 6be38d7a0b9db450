import type { NotTaken, PublishBatch } from "@canopy/store";
import type { Counters } from "./counters.ts";
import type { Given } from "./entry.ts";
import type { Origin } from "./link.ts";
import { isTakenOut, qosAt } from "./sent.ts";

/** The same answer to everything that has to be answered. */
export function answerAll(
  origin: Origin,
  batch: PublishBatch,
  reasonCode: number,
  epoch: number,
): void {
  const { records } = batch;
  for (let i = 0; i < records.count && !origin.closed; i++) {
    if (isTakenOut(records, i) || qosAt(records, i) === 0) continue;
    origin.answered(batch, i, reasonCode, epoch);
  }
  if (!origin.closed) origin.released(batch);
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
