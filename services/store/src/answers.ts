import type { NotTaken } from "@canopy/store";
import { copyRecords } from "./copy.ts";
import { AGAIN, type Entry, PASSED, PASSES, REPEATED, STORED } from "./entry.ts";
import type { Match } from "./match.ts";
import { NO_MATCHING_SUBSCRIBERS, SUCCESS, UNSPECIFIED_ERROR } from "./reason.ts";
import { flagsOf, qosOf } from "./record.ts";

type HasReceipt = (session: number, key: number) => boolean;

/** Answers what is open of a finished entry, and gives the batch back. */
export function answer(entry: Entry, hasReceipt: HasReceipt): void {
  const { origin, batch, indexes, epoch } = entry;
  if (origin.closed || entry.released) return;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    if (isAnswered(entry, i, index)) continue;
    origin.answered(batch, index, codeOf(entry, i, hasReceipt), epoch);
  }
  release(entry);
}

/** What has failed waits for nobody's acknowledgement: its answer says that it need not come again. */
export function answerFailed(entry: Entry): void {
  const { origin, batch, indexes, epoch, failure, fates, sender } = entry;
  if (failure === 0 || origin.closed || entry.released) return;
  const answered = (entry.answered ??= []);
  for (let i = 0; i < indexes.length; i++) {
    const fate = fates[i];
    const hasFailed = fate === STORED || (fate === PASSES && sender !== undefined);
    const index = indexes[i] as number;
    if (!hasFailed || isAnswered(entry, i, index)) continue;
    answered[i] = true;
    origin.answered(batch, index, failure, epoch);
  }
}

/**
 * The entry waits too long. A message with a receipt may be stored already, and its sender would
 * take an error for the opposite: it stays open until the backend has answered, unless the backend
 * was never asked.
 */
export function giveUp(entry: Entry, reasonCode: number): void {
  const { origin, batch, indexes, epoch } = entry;
  if (origin.closed || entry.released) return;
  const answered = (entry.answered ??= []);
  let open = false;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    const isOpen = entry.isReceipted(index) && mayBeStored(entry, i);
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

/**
 * What is open of the entry's batch gets no answer here: it is given again, or somebody else is asked.
 * Who never gives a batch again hears of an error.
 */
export function handBack(entry: Entry, reason: NotTaken): void {
  const { origin, batch, sender } = entry;
  if (origin.closed || entry.released) return;
  if (sender === undefined && batch.gateway !== 0) {
    giveUp(entry, UNSPECIFIED_ERROR);
    return;
  }
  entry.records = copyRecords(entry.records);
  entry.released = true;
  origin.notTaken(batch, reason);
}

/** The answer where the message is safe. */
export function successOf(match: Match): number {
  return match.any ? SUCCESS : NO_MATCHING_SUBSCRIBERS;
}

function mayBeStored(entry: Entry, i: number): boolean {
  const fate = entry.fates[i];
  return entry.submitted || fate === REPEATED || fate === AGAIN;
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
  const index = indexes[i] as number;
  const match = matches[i] as Match;
  switch (fates[i]) {
    case REPEATED:
      return receiptOf();
    case AGAIN:
      return entry.isReceipted(index) ? receiptOf() : successOf(match);
    case STORED:
      return entry.failure === 0 ? successOf(match) : entry.failure;
    case PASSES:
      // Where it would come behind one that has failed, and the other one may come again, it fails too.
      return entry.failure === 0 || entry.sender === undefined ? successOf(match) : entry.failure;
    case PASSED:
    default:
      return successOf(match);
  }

  function receiptOf(): number {
    const session = batch.receiptSessions[index] as number;
    return hasReceipt(session, batch.receiptKeys[index] as number) ? SUCCESS : UNSPECIFIED_ERROR;
  }
}
