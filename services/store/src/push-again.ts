import { type Entry, PASSED } from "./entry.ts";
import type { GatewayLink } from "./link.ts";
import type { Match } from "./match.ts";
import type { Pusher } from "./push.ts";
import { isSent, offsetOf, qosAt } from "./sent.ts";

/**
 * Pushes to an attachment what was pushed to earlier ones of its gateway and is waited for, in the order
 * in which it was: what is finished, and what has been passed on of batches that are not.
 */
export function pushAgain(
  pusher: Pusher,
  link: GatewayLink,
  finished: Iterable<Entry>,
  others: Iterable<Entry>,
): void {
  for (const entry of finished) {
    push(pusher, link, entry, (i) => entry.fates[i] === PASSED);
    push(pusher, link, entry, (i) => isSent(entry, i));
  }
  for (const entry of others) {
    if (entry.awaited === undefined || entry.isOver) continue;
    push(pusher, link, entry, (i) => entry.fates[i] === PASSED);
  }
}

function push(
  pusher: Pusher,
  link: GatewayLink,
  entry: Entry,
  isMeant: (i: number) => boolean,
): void {
  const { records, indexes, matches, batch, epoch } = entry;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    if (!isMeant(i) || qosAt(records, index) === 0) continue;
    const { awaited } = matches[i] as Match;
    if (awaited.some(({ present }) => present === link)) {
      pusher.addTo(link, index, offsetOf(entry, i));
    }
  }
  pusher.flush(batch, epoch, records);
}
