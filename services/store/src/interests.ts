import type { InterestChange } from "@canopy/store";
import type { GatewayLink } from "./link.ts";
import type { Subscribers } from "./subscribers.ts";

/**
 * A gateway's filters, counted: it is in the trie once, from the first to the last of each, and once
 * more while one of them is transient.
 */
export function changeInterests(
  subscribers: Subscribers,
  link: GatewayLink,
  changes: readonly InterestChange[],
): void {
  for (const { filter, add, transient } of changes) {
    count(subscribers, link.interests, filter, add, link);
    if (transient) count(subscribers, link.transients, filter, add, link.awaited);
  }
}

export function dropInterests(subscribers: Subscribers, link: GatewayLink): void {
  for (const filter of link.interests.keys()) subscribers.remove(filter, link);
  for (const filter of link.transients.keys()) subscribers.remove(filter, link.awaited);
  link.interests.clear();
  link.transients.clear();
}

function count(
  subscribers: Subscribers,
  counts: Map<string, number>,
  filter: string,
  add: boolean,
  target: GatewayLink | GatewayLink["awaited"],
): void {
  const left = (counts.get(filter) ?? 0) + (add ? 1 : -1);
  if (left < 0) return;
  if (left === 0) {
    counts.delete(filter);
    subscribers.remove(filter, target);
  } else {
    counts.set(filter, left);
    if (add && left === 1) subscribers.add(filter, target);
  }
}
