/** The tables of the state and what keeps them consistent; the rules of the commands are elsewhere. */
import type { EffectSink, PendingWill } from "./effects.ts";
import { NameTable } from "./name-table.ts";
import type { PackedOptions } from "./options.ts";
import { nextIncarnation, type Placement } from "./placement.ts";
import { Filter, HeldSubscription, Session, type Vector } from "./session.ts";
import { SplitMap } from "./split-map.ts";

/** Told of every session before it changes: a snapshot under way has to see it as it was. */
export type BeforeChange = (session: Session) => void;

export class Tables {
  readonly placement: Placement;
  effects: EffectSink;
  /** The group's clock, ms. */
  clock = 0;
  /** The last one given. */
  lastIncarnation = 0;
  /** Of the control log: what is known of gateways and stores is as it says there. */
  version = 0;
  /** Gateways that may open sessions, and store processes that are not down; by incarnation. */
  readonly gateways: Set<number> = new Set();
  readonly stores: Set<number> = new Set();
  /** By incarnation, and in that order as far as they were made here. */
  readonly sessions: SplitMap<Session> = new SplitMap();
  readonly clients: NameTable<Session> = new NameTable(({ clientId }) => clientId);
  readonly filters: NameTable<Filter> = new NameTable(({ name }) => name);
  /** By {@link willKey}, in the order in which they fell due. */
  readonly wills: Map<string, PendingWill> = new Map();
  /** Ended sessions for which the stores may still hold something. */
  readonly ended: SplitMap<number> = new SplitMap();
  connected = 0;
  durable = 0;
  subscriptions = 0;
  beforeChange: BeforeChange | undefined = undefined;
  /** The cursors of a session that has read nothing. */
  readonly zeros: Vector;
  #latest: Vector;

  constructor(placement: Placement, effects: EffectSink) {
    this.placement = placement;
    this.effects = effects;
    this.zeros = Object.freeze(Array.from({ length: placement.shards }, () => 0));
    this.#latest = this.zeros;
  }

  /** The session, if this is its present opening and a gateway has it. */
  held(incarnation: number, epoch: number): Session | undefined {
    const session = this.sessions.get(incarnation);
    return session?.epoch === epoch && session.gateway !== 0 ? session : undefined;
  }

  create(clientId: string, durable: boolean): Session {
    this.lastIncarnation = nextIncarnation(this.lastIncarnation, this.placement);
    const session = new Session(clientId, this.lastIncarnation, durable, this.zeros);
    this.insert(session);
    return session;
  }

  insert(session: Session): void {
    this.sessions.set(session.incarnation, session);
    this.clients.set(session);
    if (session.durable) this.durable++;
    if (session.gateway !== 0) this.connected++;
  }

  /** To be called before anything of a session is changed. */
  change(session: Session): void {
    this.beforeChange?.(session);
  }

  setGateway(session: Session, gateway: number): void {
    if (session.gateway === 0 && gateway !== 0) this.connected++;
    if (session.gateway !== 0 && gateway === 0) this.connected--;
    session.gateway = gateway;
  }

  setDeadlines(session: Session, willAt: number, expiresAt: number): void {
    const before = session.deadline;
    session.willAt = willAt;
    session.expiresAt = expiresAt;
    const after = session.deadline;
    if (before !== after) this.effects.deadline(session.incarnation, after);
  }

  /** The session and its subscriptions go. Its will has to be settled before. */
  remove(session: Session): void {
    for (const subscription of session.subscriptionList()) this.unsubscribe(subscription);
    this.setDeadlines(session, 0, 0);
    this.setGateway(session, 0);
    this.sessions.delete(session.incarnation);
    this.clients.delete(session.clientId);
    if (session.durable) this.durable--;
  }

  filter(name: string): Filter {
    let filter = this.filters.get(name);
    if (filter === undefined) {
      filter = new Filter(name);
      this.filters.set(filter);
    }
    return filter;
  }

  subscribe(
    session: Session,
    filter: Filter,
    options: PackedOptions,
    identifier: number,
    starts: Vector,
  ): HeldSubscription {
    const subscription = new HeldSubscription(session, filter, options, identifier, starts);
    filter.add(subscription);
    session.addSubscription(subscription);
    this.subscriptions++;
    return subscription;
  }

  unsubscribe(subscription: HeldSubscription): void {
    const { filter, session } = subscription;
    this.setQueued(subscription, false);
    session.removeSubscription(subscription);
    this.subscriptions--;
    filter.remove(subscription);
    if (!filter.hasMembers) this.filters.delete(filter.name);
  }

  /** Keeps the number of queues of the filter: the first adds its route, the last removes it. */
  setQueued(subscription: HeldSubscription, queued: boolean): void {
    if (subscription.queued === queued) return;
    subscription.queued = queued;
    const { filter } = subscription;
    filter.queued += queued ? 1 : -1;
    if (queued && filter.queued === 1) this.effects.route(filter.name, true);
    if (!queued && filter.queued === 0) this.effects.route(filter.name, false);
  }

  /** One array for equal vectors that come one after the other, as heads of idle shards do. */
  vector(values: Vector): Vector {
    for (const known of [this.#latest, this.zeros]) {
      if (known.length === values.length && known.every((value, i) => value === values[i])) {
        return known;
      }
    }
    this.#latest = values;
    return values;
  }
}

/** Names one opening of one session in a map. */
export function willKey(incarnation: number, epoch: number): string {
  return `${incarnation}/${epoch}`;
}
