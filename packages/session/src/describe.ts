import type { RangeSet } from "@canopy/base";
import { isNoLocal, isRetainAsPublished, qosOf, retainHandlingOf } from "./options.ts";
import type { DoneRanges, Opened, SessionWill, Subscription } from "./port.ts";
import type { HeldSubscription, Session } from "./session.ts";

/** What a new session has of most things. */
const NONE: readonly never[] = Object.freeze([]);

/** A subscription as the port shows it. */
export function describe(held: HeldSubscription): Subscription {
  return {
    filter: held.filter.name,
    qos: qosOf(held.options),
    noLocal: isNoLocal(held.options),
    retainAsPublished: isRetainAsPublished(held.options),
    retainHandling: retainHandlingOf(held.options),
    subscriptionIdentifier: held.identifier,
    queued: held.queued,
    starts: held.starts,
    draining: held.draining,
    retainedUpTo: held.retainedUpTo,
    retainedAfter: held.retainedAfter,
  };
}

/** A session as its gateway gets it when it is opened. */
export function opened(session: Session, sessionPresent: boolean): Opened {
  return {
    incarnation: session.incarnation,
    epoch: session.epoch,
    sessionPresent,
    subscriptions: session.subscriptions === undefined ? NONE : described(session),
    cursors: session.cursors,
    done: session.done === undefined ? NONE : doneRanges(session.done),
    unfinished: session.unfinished === undefined ? NONE : [...session.unfinished.values()],
    receiptShards: session.receiptShards ?? NONE,
  };
}

function described(session: Session): Subscription[] {
  return session.subscriptionList().map(describe);
}

function doneRanges(done: ReadonlyMap<number, RangeSet>): DoneRanges[] {
  return [...done].map(([shard, set]) => ({ shard, ranges: [...set].flat() }));
}

/** All that is kept of a session. */
export interface SessionDetails extends Omit<Opened, "sessionPresent"> {
  readonly clientId: string;
  readonly durable: boolean;
  readonly gateway: number;
  readonly expiry: number;
  readonly user: string | undefined;
  readonly will: SessionWill | undefined;
  readonly willAt: number;
  readonly expiresAt: number;
}

export function details(session: Session): SessionDetails {
  const { clientId, durable, gateway, expiry, user, will, willAt, expiresAt } = session;
  const { sessionPresent: _, ...kept } = opened(session, true);
  return { ...kept, clientId, durable, gateway, expiry, user, will, willAt, expiresAt };
}
