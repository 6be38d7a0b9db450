/** Retained values that are still to be sent for a subscription. */
import type { RetainedProgress } from "./port.ts";
import type { HeldSubscription, Session, Vector } from "./session.ts";
import type { Tables } from "./tables.ts";

/** From the beginning, also where others were being sent. */
export function beginRetained(held: HeldSubscription, upTo: Vector): void {
  held.retainedUpTo = upTo;
  held.retainedAfter = undefined;
}

export function endRetained(held: HeldSubscription): void {
  held.retainedUpTo = undefined;
  held.retainedAfter = undefined;
}

/**
 * Told in the order of the stream: what comes later is further. Of one for which nothing is to be
 * sent any more it says nothing.
 */
export function moveRetained(
  tables: Tables,
  session: Session,
  positions: readonly RetainedProgress[],
): void {
  for (const { filter, shard, topic } of positions) {
    const held = heldOf(tables, session, filter);
    if (held?.retainedUpTo === undefined || shard >= tables.placement.shards) continue;
    held.retainedAfter = { shard, topic };
  }
}

export function retainedSent(tables: Tables, session: Session, filters: readonly string[]): void {
  for (const name of filters) {
    const held = heldOf(tables, session, name);
    if (held !== undefined) endRetained(held);
  }
}

function heldOf(tables: Tables, session: Session, name: string): HeldSubscription | undefined {
  const filter = tables.filters.get(name);
  return filter && session.subscription(filter);
}
