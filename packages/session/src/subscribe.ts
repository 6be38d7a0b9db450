/** Subscriptions of durable sessions. */
import { describe } from "./describe.ts";
import { packOptions } from "./options.ts";
import type {
  NewSubscription,
  SubscribeRequest,
  SubscribeResult,
  Subscription,
  UnsubscribeRequest,
} from "./port.ts";
import { beginRetained, endRetained } from "./retained.ts";
import type { Filter, HeldSubscription, Session, Vector } from "./session.ts";
import type { Tables } from "./tables.ts";

/** Per request; undefined where the opening is not the present one. */
export function subscribe(
  tables: Tables,
  heads: Vector,
  requests: readonly SubscribeRequest[],
): readonly (SubscribeResult | undefined)[] {
  const starts = tables.vector(heads);
  return requests.map((request) => {
    const session = tables.held(request.incarnation, request.epoch);
    if (session === undefined || !session.durable) return undefined;
    tables.change(session);
    const subscriptions: Subscription[] = [];
    const existed: boolean[] = [];
    for (const asked of request.subscriptions) {
      const filter = tables.filter(asked.filter);
      const known = session.subscription(filter);
      existed.push(known !== undefined && !known.draining);
      subscriptions.push(describe(subscribeOne(tables, session, filter, asked, known, starts)));
    }
    return { subscriptions, existed };
  });
}

function subscribeOne(
  tables: Tables,
  session: Session,
  filter: Filter,
  asked: NewSubscription,
  known: HeldSubscription | undefined,
  heads: Vector,
): HeldSubscription {
  const options = packOptions(asked);
  const identifier = asked.subscriptionIdentifier;
  const held = known ?? tables.subscribe(session, filter, options, identifier, heads);
  // [MQTT-3.8.4-3] Replacing keeps where it began, so nothing is lost. But one that was unsubscribed
  // is a new one, and one that had no queue got everything up to here live.
  if (held.draining || !held.queued) held.starts = heads;
  held.draining = false;
  held.options = options;
  held.identifier = identifier;
  // A queue stays when the granted QoS goes down to 0: what is in it is still delivered.
  if (asked.qos > 0) tables.setQueued(held, true);
  if (asked.sendRetained) beginRetained(held, heads);
  return held;
}

/** Whether each filter existed; undefined if the opening is not the present one. */
export function unsubscribe(
  tables: Tables,
  request: UnsubscribeRequest,
): readonly boolean[] | undefined {
  const session = tables.held(request.incarnation, request.epoch);
  if (session === undefined) return undefined;
  tables.change(session);
  const inFlight = new Set(request.draining);
  return request.filters.map((name) => {
    const filter = tables.filters.get(name);
    const held = filter && session.subscription(filter);
    if (held === undefined || held.draining) return false;
    // [MQTT-3.10.4-3] Deliveries that have begun are completed: their queue is still needed.
    const drains = held.queued && (inFlight.has(name) || isOwed(session, held.filter));
    if (drains) drain(held);
    else tables.unsubscribe(held);
    return true;
  });
}

function drain(held: HeldSubscription): void {
  held.draining = true;
  endRetained(held);
}

/** The gateway says that nothing is in flight from that queue any more. */
export function endDraining(tables: Tables, session: Session, name: string): void {
  const filter = tables.filters.get(name);
  const held = filter && session.subscription(filter);
  if (held?.draining && !isOwed(session, held.filter)) tables.unsubscribe(held);
}

/** Without a connection nothing is in flight but what is known here. */
export function sweepDraining(tables: Tables, session: Session): void {
  for (const held of session.subscriptionList()) {
    if (held.draining && !isNamed(session, held.filter)) tables.unsubscribe(held);
  }
}

/** Whether a QoS 2 delivery of that queue is unfinished: those are known at any time. */
function isOwed(session: Session, filter: Filter): boolean {
  for (const entry of session.unfinished?.values() ?? []) {
    if (entry.qos === 2 && entry.source === "queue" && entry.queue === filter.name) return true;
  }
  return false;
}

/** Whether any delivery of that queue is unfinished. */
function isNamed(session: Session, filter: Filter): boolean {
  for (const entry of session.unfinished?.values() ?? []) {
    if (entry.source === "queue" && entry.queue === filter.name) return true;
  }
  return false;
}
