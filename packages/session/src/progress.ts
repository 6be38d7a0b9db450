/** How far sessions have come: cursors, and what is finished above them. */
import { dropFinished, joinDone, raiseCursors } from "./done.ts";
import type { Progress } from "./port.ts";
import { moveRetained, retainedSent } from "./retained.ts";
import type { Session } from "./session.ts";
import { endDraining } from "./subscribe.ts";
import type { Tables } from "./tables.ts";

/** Returns for how many the opening was the present one. */
export function progress(tables: Tables, batch: readonly Progress[]): number {
  let count = 0;
  for (const item of batch) {
    const session = tables.held(item.incarnation, item.epoch);
    if (session === undefined) continue;
    tables.change(session);
    applyProgress(tables, session, item);
    count++;
  }
  return count;
}

export function applyProgress(tables: Tables, session: Session, progress: Progress): void {
  if (progress.cursors.length > 0) raiseCursors(session, progress.cursors);
  for (const done of progress.done) joinDone(session, done);
  dropFinished(session);
  for (const name of progress.drained) endDraining(tables, session, name);
  moveRetained(tables, session, progress.retainedAfter);
  retainedSent(tables, session, progress.retainedSent);
}
