import { subscriptionIdBytes } from "@canopy/codec";
import type { Delivery } from "@canopy/connection";
import type { Client } from "../client.ts";

export interface SubOptions {
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 = none. */
  readonly subscriptionIdentifier: number;
}

/** What a SUBSCRIBE that fails has to put back. */
export interface SubState extends SubOptions {
  readonly queued: boolean;
}

/** One subscription of a connected session, as long as anything needs it. */
export class Sub {
  readonly client: Client;
  /** As sent; also the queue's name. */
  readonly filter: string;
  /** Without `$share/…/`. */
  readonly plainFilter: string;
  readonly shared: boolean;
  qos: 0 | 1 | 2 = 0;
  noLocal = false;
  retainAsPublished = false;
  subscriptionIdentifier = 0;
  idBytes: Buffer | undefined = undefined;
  /** The session state keeps a queue for it. */
  queued = false;
  /** Committed: readers read its queue from `starts` on. */
  active = false;
  starts: readonly number[] = [];
  /** The store processes have been told of it. */
  interested = false;
  /** … that somebody transient is on it at QoS ≥ 1. */
  interestTransient = false;
  /**
   * While a subscription at QoS 0 becomes one with a queue: per shard, the last stored message that
   * it was given live, so that it is not read again.
   */
  passed: number[] | undefined = undefined;
  /** Unsubscribed, but deliveries from its queue are in flight. */
  draining = false;
  /** Unsubscribed: nothing new is delivered for it [MQTT-3.10.4-2]. */
  dropped = false;
  /** Deliveries in flight that came from its queue. */
  unfinished = 0;
  /** Number of this member of the shared subscription; 0 = none. */
  member = 0;
  /** What its group knows of that member. */
  memberKind = "";
  /** What a match of this subscription alone looks like. */
  target: Target;

  constructor(client: Client, filter: string, plainFilter: string) {
    this.client = client;
    this.filter = filter;
    this.plainFilter = plainFilter;
    this.shared = filter !== plainFilter;
    this.target = new Target(this);
  }

  get state(): SubState {
    const { qos, noLocal, retainAsPublished, subscriptionIdentifier, queued } = this;
    return { qos, noLocal, retainAsPublished, subscriptionIdentifier, queued };
  }

  set(options: SubOptions): void {
    this.qos = options.qos;
    this.noLocal = options.noLocal;
    this.retainAsPublished = options.retainAsPublished;
    if (options.subscriptionIdentifier !== this.subscriptionIdentifier) {
      const id = options.subscriptionIdentifier;
      this.subscriptionIdentifier = id;
      this.idBytes = id === 0 ? undefined : subscriptionIdBytes([id]);
    }
    this.target = new Target(this);
  }
}

const NO_SUBS: readonly Sub[] = [];

/** How one client gets a message that matches one or more of its subscriptions. */
export class Target {
  readonly client: Client;
  readonly sub: Sub;
  /** The highest that was granted [MQTT-3.3.4-2]. */
  qos: 0 | 1 | 2;
  retainAsPublished: boolean;
  /** Subscription Identifier properties [MQTT-3.3.4-3]. */
  idBytes: Buffer | undefined;
  /** Every subscription that matches has No Local. */
  noLocal: boolean;
  /** Where only some have: what is left without them, for the client's own messages. */
  own: Target | undefined = undefined;
  /** Subscriptions with a queue among them; where there are any, stored messages go by the reader. */
  sources: readonly Sub[];
  /** Where only some have a queue: what is left without them, for messages that are in none. */
  rest: Target | undefined = undefined;

  constructor(sub: Sub) {
    this.client = sub.client;
    this.sub = sub;
    this.qos = sub.qos;
    this.retainAsPublished = sub.retainAsPublished;
    this.idBytes = sub.idBytes;
    this.noLocal = sub.noLocal;
    this.sources = sub.queued ? [sub] : NO_SUBS;
  }

  /**
   * The subscription whose queue has this message, so that it can be read again. Undefined where
   * none has: the message is older than what would have it.
   */
  sourceOf(shard: number, offset: number): Sub | undefined {
    const { sources } = this;
    for (let i = 0; i < sources.length; i++) {
      const sub = sources[i] as Sub;
      if (sub.active && (sub.starts[shard] ?? 0) < offset) return sub;
    }
    return undefined;
  }
}

/** Makes one target of all subscriptions of a client that match a message. */
export function mergeSubs(subs: readonly Sub[]): Target {
  const first = subs[0] as Sub;
  if (subs.length === 1) return first.target;
  const sources = subs.filter((sub) => sub.queued);
  const target = new Target(sources[0] ?? subs.find((sub) => sub.passed) ?? first);
  target.sources = sources;
  if (sources.length > 0 && sources.length < subs.length) {
    target.rest = mergeSubs(subs.filter((sub) => !sub.queued));
  }
  const ids: number[] = [];
  for (const sub of subs) {
    if (sub.qos > target.qos) target.qos = sub.qos;
    if (sub.retainAsPublished) target.retainAsPublished = true;
    if (!sub.noLocal) target.noLocal = false;
    if (sub.subscriptionIdentifier !== 0) ids.push(sub.subscriptionIdentifier);
  }
  target.idBytes = ids.length === 0 ? undefined : subscriptionIdBytes(ids);
  const others = subs.filter((sub) => !sub.noLocal);
  if (others.length > 0 && others.length < subs.length) target.own = mergeSubs(others);
  return target;
}

export type SubDelivery = Delivery<Sub>;
