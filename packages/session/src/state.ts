/** The replicated state machine: the same commands in the same order give the same state. */
import type { Command, SessionKey } from "./commands.ts";
import { deliveries } from "./deliver.ts";
import { details, type SessionDetails } from "./describe.ts";
import { type EffectSink, noEffects, type PendingWill } from "./effects.ts";
import { expire, fireWill, gatewayDown, release } from "./ending.ts";
import { members } from "./members.ts";
import { type OpenResult, open } from "./opening.ts";
import type { Placement } from "./placement.ts";
import type { SessionCounts, SubscribeResult } from "./port.ts";
import { progress } from "./progress.ts";
import { lowest, routes, sharedUnfinished } from "./queries.ts";
import type { Session } from "./session.ts";
import { Snapshot } from "./snapshot.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";
import { Tables, willKey } from "./tables.ts";

/** What each command answers. A count says how many of the sessions it named it was right about. */
export interface Results {
  readonly tick: undefined;
  /** False if its version was known. */
  readonly members: boolean;
  readonly "gateway-down": number;
  readonly open: OpenResult;
  /** False if this opening is not the present one. */
  readonly release: boolean;
  readonly subscribe: readonly (SubscribeResult | undefined)[];
  readonly unsubscribe: readonly boolean[] | undefined;
  readonly progress: number;
  readonly deliveries: number;
  readonly expire: number;
  readonly "fire-will": number;
  readonly "will-done": number;
  readonly "ended-cleaned": number;
}

export type Result = Results[keyof Results];

/** What may be seen of a session from outside. */
export type SessionView = Readonly<Pick<Session, VisibleField>>;

type VisibleField =
  | "clientId"
  | "incarnation"
  | "epoch"
  | "gateway"
  | "requestId"
  | "durable"
  | "expiry"
  | "user"
  | "deadline"
  | "willAt"
  | "expiresAt";

export class SessionState {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  static create(placement: Placement, effects: EffectSink = noEffects): SessionState {
    return new SessionState(new Tables(placement, effects));
  }

  get placement(): Placement {
    return this.#tables.placement;
  }

  /** The group's clock, ms. */
  get clock(): number {
    return this.#tables.clock;
  }

  /** Effects of later commands go there. */
  set effects(sink: EffectSink) {
    this.#tables.effects = sink;
  }

  apply<C extends Command>(command: C): Results[C["type"]] {
    this.#tables.clock = Math.max(this.#tables.clock, command.at);
    return dispatch(this.#tables, command) as Results[C["type"]];
  }

  session(incarnation: number): SessionView | undefined {
    return this.#tables.sessions.get(incarnation);
  }

  sessionOf(clientId: string): SessionView | undefined {
    return this.#tables.clients.get(clientId);
  }

  /** Everything about a session, for operators. */
  inspect(incarnation: number): SessionDetails | undefined {
    const session = this.#tables.sessions.get(incarnation);
    return session && details(session);
  }

  sessions(): Iterable<SessionView> {
    return this.#tables.sessions.values();
  }

  hasGateway(gateway: number): boolean {
    return this.#tables.gateways.has(gateway);
  }

  /** Version of the control log up to which gateways and stores are known. */
  get version(): number {
    return this.#tables.version;
  }

  gateways(): Iterable<number> {
    return this.#tables.gateways;
  }

  /** Incarnations of the store processes that are not known to be down. */
  stores(): Iterable<number> {
    return this.#tables.stores;
  }

  /** Wills that are to be published and not done yet, in the order in which they fell due. */
  pendingWills(): Iterable<PendingWill> {
    return this.#tables.wills.values();
  }

  isWillPending(incarnation: number, epoch: number): boolean {
    return this.#tables.wills.has(willKey(incarnation, epoch));
  }

  /** Ended sessions whose remains in the stores are not known to be gone. */
  ended(): Iterable<number> {
    return this.#tables.ended.values();
  }

  /** Whether the session is there, or is one of {@link ended}. */
  isKept(incarnation: number): boolean {
    const { sessions, ended } = this.#tables;
    return sessions.get(incarnation) !== undefined || ended.get(incarnation) !== undefined;
  }

  counts(): SessionCounts {
    const { sessions, connected, durable, subscriptions } = this.#tables;
    return { sessions: sessions.size, connected, durable, subscriptions };
  }

  routes(): readonly string[] {
    return routes(this.#tables);
  }

  lowest(filter: string, shard: number): number | undefined {
    return lowest(this.#tables, filter, shard);
  }

  sharedUnfinished(filter: string, shard: number): readonly number[] {
    return sharedUnfinished(this.#tables, filter, shard);
  }

  /**
   * The state as it is now, in chunks, while commands go on being applied. One at a time: the
   * next may be begun when this one has ended or was closed.
   */
  snapshot(): Snapshot {
    return new Snapshot(this.#tables);
  }
}

function dispatch(tables: Tables, command: Command): Result {
  switch (command.type) {
    case "tick":
      return undefined;
    case "members":
      return members(tables, command);
    case "gateway-down":
      return gatewayDown(tables, command.gateway, command.sessions);
    case "open":
      return open(tables, command.request);
    case "release":
      return release(tables, command.request);
    case "subscribe":
      return subscribe(tables, command.heads, command.requests);
    case "unsubscribe":
      return unsubscribe(tables, command.request);
    case "progress":
      return progress(tables, command.batch);
    case "deliveries":
      return deliveries(tables, command.batch);
    case "expire":
      return expire(tables, command.sessions);
    case "fire-will":
      return fireWill(tables, command.sessions);
    case "will-done":
      return willDone(tables, command.wills);
    case "ended-cleaned":
      return endedCleaned(tables, command.incarnations);
  }
}

function willDone(tables: Tables, wills: readonly SessionKey[]): number {
  return countIf(wills, ({ incarnation, epoch }) =>
    tables.wills.delete(willKey(incarnation, epoch)),
  );
}

function endedCleaned(tables: Tables, incarnations: readonly number[]): number {
  return countIf(incarnations, (incarnation) => tables.ended.delete(incarnation));
}

function countIf<T>(items: readonly T[], test: (item: T) => boolean): number {
  let count = 0;
  for (const item of items) if (test(item)) count++;
  return count;
}
