import { type PublishBatch, type Records, STORED_BEFORE } from "@canopy/store";
import { AGAIN, type Entry, PASSES, REPEATED, STORED } from "./entry.ts";
import type { GatewayLink } from "./link.ts";
import type { Match } from "./match.ts";
import { flagsOf, qosOf } from "./record.ts";

/**
 * Of what could not be stored only QoS 0 goes on, and what comes of a gateway that never gives it
 * again.
 */
export function isSent(entry: Entry, i: number): boolean {
  const { sender, failure } = entry;
  const fate = entry.fates[i];
  if (fate === AGAIN) return true;
  if (fate === PASSES && sender === undefined) return true;
  if (fate !== PASSES && fate !== STORED) return false;
  return failure === 0 || qosAt(entry.records, entry.indexes[i] as number) === 0;
}

/**
 * Only what is posted to queues has an offset for others: a message that is stored for another
 * reason (retained) is in no queue, so its readers can't find it there later.
 */
export function offsetOf(entry: Entry, i: number): number {
  const match = entry.matches[i] as Match;
  if (entry.failure !== 0 || match.queues.length === 0) return 0;
  if (entry.fates[i] === AGAIN) return STORED_BEFORE;
  const body = entry.bodies[i] as number;
  const isPosted = body >= 0 && qosAt(entry.records, entry.indexes[i] as number) !== 0;
  return isPosted ? entry.first + body : 0;
}

/** What of a batch was passed on, and has to be acknowledged before it is answered. */
export interface Late {
  readonly indexes: number[];
  readonly links: GatewayLink[];
}

export function qosAt(records: Records, index: number): number {
  return qosOf(flagsOf(records.bytes, records.starts[index] as number));
}

/** It was taken out of a batch that is given again. */
export function isTakenOut({ starts, ends }: Records, index: number): boolean {
  return starts[index] === ends[index];
}

/** It is not to be stored: it was taken out, or is only pushed again where its batch was stored. */
export function isLeftOut(batch: PublishBatch, index: number): boolean {
  const { records, receiptSessions, receiptKeys } = batch;
  if (isTakenOut(records, index)) return true;
  return receiptKeys[index] === 0 && (receiptSessions[index] ?? 0) !== 0;
}

/**
 * Gives a message to its shared groups. Returns, with `links`, gateways that have to acknowledge what
 * is stored for nobody.
 */
export function dispatch(
  match: Match,
  shard: number,
  records: Records,
  index: number,
  offset: number,
  links: GatewayLink[] | undefined,
): GatewayLink[] | undefined {
  const qos = qosAt(records, index);
  for (const group of match.directGroups) {
    const link = group.direct(shard, records, index, qos);
    if (qos > 0 && link?.isBehind === true) (links ??= []).push(link);
  }
  // What was stored before is in the queue.
  if (offset === STORED_BEFORE) return links;
  for (const group of match.queuedGroups) {
    if (offset === 0) group.direct(shard, records, index, qos);
    else group.stored(shard, records, index, offset);
  }
  return links;
}

/** The same for what is sent of an entry that is finished. */
export function dispatchEntry(
  entry: Entry,
  shard: number,
  links: GatewayLink[] | undefined,
): GatewayLink[] | undefined {
  const { records, indexes, matches, fates } = entry;
  for (let i = 0; i < indexes.length; i++) {
    const match = matches[i] as Match;
    if (!match.hasGroups || fates[i] === REPEATED || !isSent(entry, i)) continue;
    const index = indexes[i] as number;
    links = dispatch(match, shard, records, index, offsetOf(entry, i), links);
  }
  return links;
}
