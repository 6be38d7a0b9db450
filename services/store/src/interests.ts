import type { InterestChange } from "@canopy/store";
import type { GatewayLink } from "./link.ts";
import type { Subscribers } from "./subscribers.ts";

/** A gateway's filters, counted: it is in the trie once, from the first to the last of each. */
export function changeInterests(
  subscribers: Subscribers,
  link: GatewayLink,
  changes: readonly InterestChange[],
): void {
  for (const { filter, add } of changes) {
    const count = (link.interests.get(filter) ?? 0) + (add ? 1 : -1);
    if (count < 0) continue;
    if (count === 0) {
      link.interests.delete(filter);
      subscribers.remove(filter, link);
    } else {
      link.interests.set(filter, count);
      if (add && count === 1) subscribers.add(filter, link);
    }
  }
}

export function dropInterests(subscribers: Subscribers, link: GatewayLink): void {
  for (const filter of link.interests.keys()) subscribers.remove(filter, link);
  link.interests.clear();
}
