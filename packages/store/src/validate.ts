/** What every backend checks before it touches anything: the caller's side of the contract. */
import { type Append, MAX_EPOCH, type Offset, type ReadLimits, StoreError } from "./port.ts";

/** Offset of the last body; 0 for an append without bodies. */
export function lastOffset(append: Append): Offset {
  return append.ends.length === 0 ? 0 : append.first + append.ends.length - 1;
}

/** Throws `invalid` for an append that no shard could take, whatever its head is. */
export function checkAppend(append: Append): void {
  const count = append.ends.length;
  if (count === 0 ? append.first !== 0 : !isOffset(append.first)) {
    throw invalid(`first offset ${append.first} with ${count} messages`);
  }
  if (count > 0 && !Number.isSafeInteger(append.first + count)) throw invalid("offsets used up");
  if (append.expiries.length !== count) throw invalid("one expiry per message is needed");
  let previous = 0;
  for (const end of append.ends) {
    if (!(end >= previous)) throw invalid("ends must ascend");
    previous = end;
  }
  if (previous > append.bodies.length) throw invalid("a message ends behind the bodies");
  for (const indexes of append.postings.values()) checkIndexes(indexes, count);
  for (const change of append.retained) {
    if (!(change.index >= -1 && change.index < count)) throw invalid("retained: no such message");
  }
}

function checkIndexes(indexes: readonly number[], count: number): void {
  let previous = -1;
  for (const index of indexes) {
    if (!(index > previous)) throw invalid("indexes of a posting must ascend");
    previous = index;
  }
  if (previous >= count) throw invalid("posting: no such message");
}

/** Throws `invalid` for limits below 1. */
export function checkLimits(limits: ReadLimits): void {
  if (!(limits.messages >= 1 && limits.bytes >= 1)) throw invalid("limits must be at least 1");
}

/** Throws `invalid` for an epoch that is out of range, `stale-epoch` for one not above `highest`. */
export function checkEpoch(shard: number, epoch: number, highest: number): void {
  if (!Number.isInteger(epoch) || epoch < 1 || epoch > MAX_EPOCH) {
    throw invalid(`epoch ${epoch} of shard ${shard} is not in [1, ${MAX_EPOCH}]`);
  }
  if (epoch <= highest) {
    throw new StoreError("stale-epoch", `shard ${shard} was opened under epoch ${highest} already`);
  }
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function invalid(message: string): StoreError {
  return new StoreError("invalid", message);
}
