import { copyRecords } from "./copy.ts";
import { type Entry, REPEATED, STORED } from "./entry.ts";
import type { Match } from "./match.ts";
import { NO_MATCHING_SUBSCRIBERS, SUCCESS, UNSPECIFIED_ERROR } from "./reason.ts";
import { flagsOf, qosOf } from "./record.ts";

type HasReceipt = (session: number, key: number) => boolean;

/** Answers what is open of a finished entry, and gives the batch back. */
export function answer(entry: Entry, epoch: number, hasReceipt: HasReceipt): void {
  const { origin, batch, indexes } = entry;
  if (origin.closed || entry.released) return;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    if (isAnswered(entry, i, index)) continue;
    origin.answered(batch, index, codeOf(entry, i, hasReceipt), epoch);
  }
  release(entry);
}

/**
 * The entry waits too long. A message with a receipt may be stored already, and its sender would
 * take an error for the opposite: it stays open until the backend has answered, unless the backend
 * was never asked.
 */
export function giveUp(entry: Entry, epoch: number, reasonCode: number): void {
  const { origin, batch, indexes } = entry;
  if (origin.closed || entry.released) return;
  const answered = (entry.answered ??= []);
  let open = false;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    const isOpen = entry.isReceipted(index) && (entry.submitted || entry.fates[i] === REPEATED);
    open ||= isOpen;
    if (isOpen || isAnswered(entry, i, index)) continue;
    answered[i] = true;
    origin.answered(batch, index, reasonCode, epoch);
  }
  if (!open) {
    entry.records = copyRecords(entry.records);
    release(entry);
  }
}

/** The answer where the message is safe. */
export function successOf(match: Match): number {
  return match.any ? SUCCESS : NO_MATCHING_SUBSCRIBERS;
}

function release(entry: Entry): void {
  entry.released = true;
  entry.origin.released(entry.batch);
}

/** QoS 0 counts as answered. */
function isAnswered(entry: Entry, i: number, index: number): boolean {
  if (entry.answered?.[i] === true) return true;
  const { bytes, starts } = entry.records;
  return qosOf(flagsOf(bytes, starts[index] as number)) === 0;
}

function codeOf(entry: Entry, i: number, hasReceipt: HasReceipt): number {
  const { batch, fates, indexes, matches } = entry;
  switch (fates[i]) {
    case REPEATED: {
      const index = indexes[i] as number;
      const session = batch.receiptSessions[index] as number;
      return hasReceipt(session, batch.receiptKeys[index] as number) ? SUCCESS : UNSPECIFIED_ERROR;
    }
    case STORED:
      if (entry.failure !== 0) return entry.failure;
      return successOf(matches[i] as Match);
    default:
      return successOf(matches[i] as Match);
  }
}
