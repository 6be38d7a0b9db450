import { unpackOptions } from "./options.ts";
import type { Subscription } from "./port.ts";
import type { HeldSubscription } from "./session.ts";

/** A subscription as the port shows it. */
export function describe(held: HeldSubscription): Subscription {
  return {
    filter: held.filter.name,
    ...unpackOptions(held.options),
    subscriptionIdentifier: held.identifier,
    queued: held.queued,
    starts: held.starts,
    draining: held.draining,
    retainedUpTo: held.retainedUpTo,
  };
}
