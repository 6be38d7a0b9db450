/** What a session has finished: its cursors, and the ranges above them. */
import { RangeSet } from "@canopy/base";
import type { DoneRanges, Unfinished } from "./port.ts";
import type { Session } from "./session.ts";

/** Whether the session's own cursor and done ranges say what is finished there. */
export function isOwnQueue(entry: Unfinished): boolean {
  return entry.source === "queue" && !entry.queue.startsWith("$share/");
}

/** [shard, offset] pairs, flat. Cursors never go back, whatever order progress comes in. */
export function raiseCursors(session: Session, pairs: readonly number[]): void {
  const cursors = session.cursors.slice();
  for (let i = 0; i < pairs.length; i += 2) {
    const shard = pairs[i] as number;
    const offset = pairs[i + 1] as number;
    const before = cursors[shard];
    if (before === undefined || offset <= before) continue;
    cursors[shard] = offset;
    trimDone(session, shard, offset);
  }
  session.cursors = cursors;
}

function trimDone(session: Session, shard: number, cursor: number): void {
  const set = session.done?.get(shard);
  if (set === undefined) return;
  set.removeUpTo(cursor);
  if (!set.isEmpty) return;
  session.done?.delete(shard);
  if (session.done?.size === 0) session.done = undefined;
}

export function joinDone(session: Session, done: DoneRanges): void {
  const cursor = session.cursors[done.shard];
  if (cursor === undefined) return;
  for (let i = 0; i < done.ranges.length; i += 2) {
    const from = Math.max(done.ranges[i] as number, cursor + 1);
    const to = done.ranges[i + 1] as number;
    if (to >= from) doneSet(session, done.shard).addRange(from, to);
  }
}

/** One offset is finished. */
export function addDone(session: Session, shard: number, offset: number): void {
  const cursor = session.cursors[shard];
  if (cursor !== undefined && offset > cursor) doneSet(session, shard).addRange(offset, offset);
}

function doneSet(session: Session, shard: number): RangeSet {
  session.done ??= new Map();
  let set = session.done.get(shard);
  if (set === undefined) {
    set = new RangeSet();
    session.done.set(shard, set);
  }
  return set;
}

/**
 * QoS 1 deliveries go when progress says that they are finished: their acknowledgements are not
 * told one by one.
 */
export function dropFinished(session: Session): void {
  if (session.unfinished === undefined) return;
  for (const entry of session.unfinished.values()) {
    if (entry.qos !== 1 || !isOwnQueue(entry)) continue;
    if (session.isDone(entry.shard, entry.offset)) session.unfinished.delete(entry.packetId);
  }
  if (session.unfinished.size === 0) session.unfinished = undefined;
}
