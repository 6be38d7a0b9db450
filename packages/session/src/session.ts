/**
 * What is kept per session. A million idle ones must fit in memory, so nothing is allocated for
 * what a session does not have, equal vectors are one array, and a filter's name is kept once.
 */
import type { RangeSet } from "@canopy/base";
import type { PackedOptions } from "./options.ts";
import type { RetainedPosition, SessionWill, Unfinished } from "./port.ts";

/** One number per shard. Never changed in place: it may be shared with other sessions. */
export type Vector = readonly number[];

/** A subscription filter that some session has: its name, once, and who has it. */
export class Filter {
  readonly name: string;
  /** `$share/…`: how far the group has come is kept in the shard, not in the members' cursors. */
  readonly shared: boolean;
  /** Undefined where there are none, an array only from the second one on: most filters have one. */
  #members: HeldSubscription[] | HeldSubscription | undefined = undefined;
  /** How many of them have a queue: while there is one, the filter is a route. */
  queued = 0;
  /** The last snapshot that has its name, and the number that stands for it there. */
  snapshot = 0;
  number = 0;

  constructor(name: string) {
    this.name = name;
    this.shared = name.startsWith("$share/");
  }

  /** In no order. */
  get members(): readonly HeldSubscription[] {
    const held = this.#members;
    if (held === undefined) return [];
    return Array.isArray(held) ? held : [held];
  }

  get hasMembers(): boolean {
    return this.#members !== undefined;
  }

  get hasSeveral(): boolean {
    return Array.isArray(this.#members);
  }

  add(subscription: HeldSubscription): void {
    const held = this.#members;
    if (held === undefined) {
      this.#members = subscription;
    } else if (Array.isArray(held)) {
      subscription.place = held.length;
      held.push(subscription);
    } else {
      subscription.place = 1;
      this.#members = [held, subscription];
    }
  }

  remove(subscription: HeldSubscription): void {
    const held = this.#members;
    if (!Array.isArray(held)) {
      this.#members = undefined;
      return;
    }
    const last = held.pop() as HeldSubscription;
    if (last !== subscription) {
      held[subscription.place] = last;
      last.place = subscription.place;
    }
    if (held.length === 1) this.#members = held[0];
  }
}

/** A subscription of one session. */
export class HeldSubscription {
  readonly session: Session;
  readonly filter: Filter;
  options: PackedOptions;
  /** 0 = none. */
  identifier: number;
  queued = false;
  draining = false;
  starts: Vector;
  retainedUpTo: Vector | undefined = undefined;
  /** Undefined where there is no `retainedUpTo`. */
  retainedAfter: RetainedPosition | undefined = undefined;
  /** Index in the filter's members, where it has several. */
  place = 0;

  constructor(
    session: Session,
    filter: Filter,
    options: PackedOptions,
    identifier: number,
    starts: Vector,
  ) {
    this.session = session;
    this.filter = filter;
    this.options = options;
    this.identifier = identifier;
    this.starts = starts;
  }
}

export class Session {
  readonly clientId: string;
  readonly incarnation: number;
  /**
   * Whether it had an expiry when this incarnation was made. One that has not keeps its
   * subscriptions and its deliveries in its gateway alone.
   */
  readonly durable: boolean;
  epoch = 0;
  /** Incarnation of the gateway that holds it; 0 = none. */
  gateway = 0;
  /** That gateway's number for the open that gave it the session; 0 = none. */
  requestId = 0;
  /** Session Expiry Interval in seconds. */
  expiry = 0;
  user: string | undefined = undefined;
  /** Not published yet, and not dropped. */
  will: SessionWill | undefined = undefined;
  /** The group's clock at which the will is due; 0 = not running. */
  willAt = 0;
  /** The group's clock at which the session ends; 0 = not running. */
  expiresAt = 0;
  cursors: Vector;
  /** Undefined where there are none: most sessions. */
  subscriptions: Map<Filter, HeldSubscription> | HeldSubscription | undefined = undefined;
  /** Shard → finished offsets above its cursor. No empty sets. */
  done: Map<number, RangeSet> | undefined = undefined;
  /** By packet identifier, in the order sent. Never empty. */
  unfinished: Map<number, Unfinished> | undefined = undefined;
  /** Shards in which it may have receipts, ascending. Undefined where there are none: most sessions. */
  receiptShards: Vector | undefined = undefined;
  /** The last snapshot that has it. */
  snapshot = 0;

  constructor(clientId: string, incarnation: number, durable: boolean, cursors: Vector) {
    this.clientId = clientId;
    this.incarnation = incarnation;
    this.durable = durable;
    this.cursors = cursors;
  }

  /** When something has to happen by itself, in the group's clock; 0 = never. */
  get deadline(): number {
    if (this.willAt === 0) return this.expiresAt;
    if (this.expiresAt === 0) return this.willAt;
    return Math.min(this.willAt, this.expiresAt);
  }

  isDone(shard: number, offset: number): boolean {
    return offset <= (this.cursors[shard] ?? 0) || (this.done?.get(shard)?.has(offset) ?? false);
  }

  subscription(filter: Filter): HeldSubscription | undefined {
    const held = this.subscriptions;
    if (held instanceof Map) return held.get(filter);
    return held?.filter === filter ? held : undefined;
  }

  /** In the order in which they were made. */
  subscriptionList(): readonly HeldSubscription[] {
    const held = this.subscriptions;
    if (held === undefined) return [];
    return held instanceof Map ? [...held.values()] : [held];
  }

  /** A map only from the second one on: most sessions have one. */
  addSubscription(subscription: HeldSubscription): void {
    const held = this.subscriptions;
    if (held === undefined) this.subscriptions = subscription;
    else if (held instanceof Map) held.set(subscription.filter, subscription);
    else
      this.subscriptions = new Map([
        [held.filter, held],
        [subscription.filter, subscription],
      ]);
  }

  removeSubscription(subscription: HeldSubscription): void {
    const held = this.subscriptions;
    if (held instanceof Map) {
      held.delete(subscription.filter);
      if (held.size === 0) this.subscriptions = undefined;
    } else if (held === subscription) {
      this.subscriptions = undefined;
    }
  }
}
