/**
 * The Sessions port: what gateways ask of the session service. Every promise here settles after
 * the command is on disk (committed) and applied; a rejected one may still have been applied only
 * where its error says so (`indeterminate`).
 */

/** Session Expiry Interval that never ends (0xFFFFFFFF, MQTT 5 section 3.1.2.11.2). */
export const EXPIRY_NEVER = 0xff_ff_ff_ff;

export interface SubscriptionOptions {
  /** Granted QoS. */
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  /** 0 = none. */
  readonly subscriptionIdentifier: number;
}

/** A subscription of a durable session. Those of transient sessions live in their gateway alone. */
export interface Subscription extends SubscriptionOptions {
  /** As sent, with `$share/…/` where shared; also the name of its queue in the store. */
  readonly filter: string;
  /**
   * Whether its messages are kept in a queue: granted QoS ≥ 1, now or before (one that went down
   * to QoS 0 goes on draining its queue).
   */
  readonly queued: boolean;
  /** Per shard, the offset after which it began. Kept when it is replaced [MQTT-3.8.4-3]. */
  readonly starts: readonly number[];
  /** Unsubscribed, but deliveries from its queue are unfinished [MQTT-3.10.4-3]. */
  readonly draining: boolean;
  /** Retained values still have to be sent: those with an offset at most this, per shard. */
  readonly retainedUpTo: readonly number[] | undefined;
  /** … and of these what comes behind here; undefined: all. */
  readonly retainedAfter: RetainedPosition | undefined;
}

/**
 * A place in the retained values of a filter, which come by shard and, in a shard, in an order of
 * the store's that stays the same: this value and all before it have been handed over.
 */
export interface RetainedPosition {
  readonly shard: number;
  readonly topic: string;
}

/** How far the retained values of a subscription have been sent. */
export interface RetainedProgress extends RetainedPosition {
  readonly filter: string;
}

/** Where the body of an unfinished delivery is. */
export type DeliverySource =
  /** Stored message, found in this queue (a filter, or `$share/…`) at shard and offset. */
  | "queue"
  /** Retained value of the topic named by `queue`, if its offset is still the same. */
  | "retained";

/** A delivery that has a packet identifier and is not finished. */
export interface Unfinished {
  readonly packetId: number;
  readonly qos: 1 | 2;
  /** QoS 2: PUBREC has come, PUBREL is owed. */
  readonly received: boolean;
  readonly source: DeliverySource;
  /** Queue name, or topic name of a retained value. */
  readonly queue: string;
  readonly shard: number;
  readonly offset: number;
}

/** Finished offsets of one shard above its cursor, as inclusive ranges [from, to, from, to, …]. */
export interface DoneRanges {
  readonly shard: number;
  readonly ranges: readonly number[];
}

/** A will as it is kept: made into a record by the gateway when the client connects. */
export interface SessionWill {
  /** Record (codec); its accepted-at and expiry are set anew when it is published. */
  readonly record: Uint8Array;
  /** Will Delay Interval, seconds. */
  readonly delay: number;
  /** Message Expiry Interval in seconds; undefined if absent. */
  readonly expiry: number | undefined;
}

export interface OpenRequest {
  readonly clientId: string;
  /** Gateway incarnation, as the control plane gave it. */
  readonly gateway: number;
  /**
   * Unique among this gateway's opens, from 1. The same request asked again after an answer that was
   * lost is the same open, not a takeover of it.
   */
  readonly requestId: number;
  readonly cleanStart: boolean;
  /** Session Expiry Interval in seconds; 0 = transient, {@link EXPIRY_NEVER} = never ends. */
  readonly expiry: number;
  readonly will: SessionWill | undefined;
  /** User name after authentication, for operators. */
  readonly user: string | undefined;
}

export type WithdrawRequest = Pick<OpenRequest, "clientId" | "gateway" | "requestId">;

export interface Opened {
  readonly incarnation: number;
  readonly epoch: number;
  readonly sessionPresent: boolean;
  /** Empty unless the session was present. */
  readonly subscriptions: readonly Subscription[];
  /** Per shard; 0 where nothing was read yet. */
  readonly cursors: readonly number[];
  readonly done: readonly DoneRanges[];
  /** In the order in which they were sent [MQTT-4.6.0-1]. */
  readonly unfinished: readonly Unfinished[];
  /** Shards in which it may have receipts of messages that it has published at QoS 2, ascending. */
  readonly receiptShards: readonly number[];
}

/** How far a connected session has come since it was last told. */
export interface Progress {
  readonly incarnation: number;
  readonly epoch: number;
  /** [shard, offset] pairs, flat: everything up to the offset is finished. */
  readonly cursors: readonly number[];
  /** The whole of a shard's ranges, for the shards where they changed; joined with what is known. */
  readonly done: readonly DoneRanges[];
  /** Filters whose draining has ended. */
  readonly drained: readonly string[];
  /** How far retained values were sent that no delivery of {@link DeliveryChanges} says. */
  readonly retainedAfter: readonly RetainedProgress[];
  /** Filters whose retained values have all been sent. */
  readonly retainedSent: readonly string[];
}

export interface ReleaseRequest extends Progress {
  /** A normal DISCONNECT drops the will; everything else publishes it after its delay. */
  readonly will: "drop" | "publish";
  /** Session Expiry Interval changed by DISCONNECT; undefined = as it was. */
  readonly expiry: number | undefined;
  /**
   * QoS 1 deliveries in flight, in the order sent. Those at QoS 2 are known already; one that is
   * named nevertheless only says where it is in the order.
   */
  readonly unfinished: readonly Unfinished[];
  /** Those in which it has receipts now; absent: as it was. */
  readonly receiptShards?: readonly number[];
}

export interface NewSubscription extends SubscriptionOptions {
  readonly filter: string;
  /** Whether retained values will be sent for it now. */
  readonly sendRetained: boolean;
}

export interface SubscribeRequest {
  readonly incarnation: number;
  readonly epoch: number;
  readonly subscriptions: readonly NewSubscription[];
}

export interface SubscribeResult {
  /** In the order asked, as they stand now. */
  readonly subscriptions: readonly Subscription[];
  /** Whether each existed before (not draining). */
  readonly existed: readonly boolean[];
}

export interface UnsubscribeRequest {
  readonly incarnation: number;
  readonly epoch: number;
  readonly filters: readonly string[];
  /** Those of `filters` from whose queues deliveries are unfinished: they stay as draining. */
  readonly draining: readonly string[];
}

/**
 * What happened to deliveries of one session, at QoS 2 or of retained values, applied in this order.
 */
export interface DeliveryChanges {
  readonly incarnation: number;
  readonly epoch: number;
  /** Packet identifiers whose delivery is finished: the offset is done, the id is free. */
  readonly completed: readonly number[];
  /** Packet identifiers for which PUBREC has come. */
  readonly received: readonly number[];
  /** New ones, in the order in which they will be sent. */
  readonly assigned: readonly Unfinished[];
  /** How far the retained values have come with these. */
  readonly retainedAfter: readonly RetainedProgress[];
  /**
   * Shards in which it has receipts from now on: known here before the first PUBREC of such a message
   * leaves, so that who comes next finds what PUBREL is about.
   */
  readonly receiptShards?: readonly number[];
}

export type SessionErrorCode =
  /** The incarnation or epoch is not the present one (somebody else has the session), or the gateway is gone. */
  | "stale"
  /** A later claim for the same client id came first (0x8E). */
  | "taken-over"
  /** The log can't be written, or the session's owner doesn't answer: nothing was done, try again. */
  | "unavailable"
  /** Nothing was done: another node leads, named by `leader` where it is known, or none does yet. */
  | "not-leader"
  /** It may be done later, but before all that is asked from now on, or never. */
  | "indeterminate"
  /** Too much waits already. */
  | "overloaded"
  /** The service does not run any more here: it was stopped, or its state failed. It is of no use to try again. */
  | "closed";

export interface SessionErrorOptions extends ErrorOptions {
  readonly leader?: string | undefined;
}

export class SessionError extends Error {
  readonly code: SessionErrorCode;
  /** Of `not-leader`: the node that leads. */
  readonly leader: string | undefined;
  constructor(code: SessionErrorCode, message: string, options?: SessionErrorOptions) {
    super(message, options);
    this.name = "SessionError";
    this.code = code;
    this.leader = options?.leader;
  }
}

/** What the session service asks of a gateway. */
export interface GatewayPeer {
  /**
   * Give the session up: stop it, settle its outstanding appends, then call
   * {@link Sessions.release}. One that is not here (an open whose answer was lost may have been
   * applied) is released at once, without its will. Asked again until the release is committed, so
   * it must be idempotent.
   */
  stop(incarnation: number, epoch: number, reason: "taken-over" | "deleted"): void;
  /**
   * Nobody asks this peer any more: the group is led elsewhere, or the way to it has broken. Attach
   * again, perhaps at another node. The last call; not made for a peer that a later one replaces.
   */
  ended?(error: SessionError): void;
}

export interface SessionCounts {
  readonly sessions: number;
  readonly connected: number;
  readonly durable: number;
  readonly subscriptions: number;
}

/**
 * After `indeterminate` (and `not-leader`, `unavailable`, or no answer at all) the same request may be
 * asked again: applied twice in a row each does what it does once. `existed` and the answers of
 * unsubscribe() are then those of the repetition. But whoever repeats a request must not have asked
 * for anything else about the same session meanwhile; progress() and release() may pass each other.
 */
export interface Sessions {
  /**
   * {@link GatewayPeer.stop} goes to this peer from here on; a later attach of the same incarnation
   * replaces it. Settles when the group knows this gateway, so that it may open sessions. Rejects with
   * `stale` if it is gone.
   */
  attach(gateway: number, peer: GatewayPeer): Promise<void>;
  /**
   * Claims the client id (whoever holds it is asked to stop, and has released it before this
   * settles) and opens its session, or a new one. The last claim wins: earlier ones that still
   * wait fail with `taken-over`. `unavailable` while the group does not know the gateway yet,
   * `stale` when it is gone.
   */
  open(request: OpenRequest): Promise<Opened>;
  /**
   * Nobody was told of what this open may have opened: its session, if it has one, is released without
   * its will. For a gateway whose open() ended without an answer, before it forgets the request.
   */
  withdraw(request: WithdrawRequest): Promise<void>;
  /** Settles also when the session is not this owner's any more (nothing is done then). */
  release(request: ReleaseRequest): Promise<void>;
  /** Settles after the routes are in force: from now on a matching PUBLISH reaches the session. */
  subscribe(request: SubscribeRequest): Promise<SubscribeResult>;
  /** Whether each filter existed. */
  unsubscribe(request: UnsubscribeRequest): Promise<readonly boolean[]>;
  /**
   * The group of a session. Groups answer each on its own: who gives progress() or deliveries() sessions
   * of several waits for the slowest. Absent where there is one group.
   */
  groupOf?(incarnation: number): number;
  /** One command for many sessions; entries that are stale are skipped. */
  progress(batch: readonly Progress[]): Promise<void>;
  /** One command for many sessions; entries that are stale are skipped. */
  deliveries(batch: readonly DeliveryChanges[]): Promise<void>;
  counts(): Promise<SessionCounts>;
}

/** A filter that some durable session has with a queue (a route), added or gone. */
export interface RouteChange {
  /** As in the subscription: with `$share/…/` where shared. */
  readonly filter: string;
  readonly add: boolean;
}

/** The place of something in the stream of a group's route changes. */
export interface RouteVersion {
  readonly group: number;
  /** Of the leader that says it: what a later one says counts. */
  readonly term: number;
  /** Changes are numbered in a term, from 1, for all stores alike: the number of the last one in it. */
  readonly seq: number;
}

export interface RouteBatch extends RouteVersion {
  /** All routes that the group has, instead of what is known of it. The first one of a stream is. */
  readonly whole: boolean;
  /** The last of them is number `seq`; those that are in force already are skipped. */
  readonly changes: readonly RouteChange[];
}

export interface WillPublication {
  readonly group: number;
  /** A shard that has seen a higher one of this group refuses it with `stale`. */
  readonly term: number;
  /** Of the session; with `epoch`, what it is known by. */
  readonly incarnation: number;
  readonly epoch: number;
  readonly record: Uint8Array;
}

/** What a session group asks of a store process. */
export interface RouteSink {
  /**
   * Last offset of every shard that this process owns, with all that is on its way; undefined for the
   * others. Of one that is being opened: the start of its epoch.
   */
  heads(): Promise<readonly (number | undefined)[]>;
  /**
   * Settles when every change is in force; given again, in the same order, after a failure. Rejects
   * with `stale` for a term below one that is known, and where changes are missing before these.
   */
  routes(batch: RouteBatch): Promise<void>;
  /**
   * Publishes a will: once, however often it is given with the same incarnation and epoch.
   * Settles when it is stored for every durable subscriber and sent to the others. Given again after
   * a failure, or to the next owner of its topic's shard. Wills of one session come one after the other.
   */
  publishWill(will: WillPublication): Promise<void>;
  /**
   * The sessions are no more, and their wills are done: receipts of their incarnations go, also those
   * that are found in a shard that is being opened.
   */
  sessionsEnded(incarnations: readonly number[]): Promise<void>;
}

/** All routes of a group at one moment: as good as a whole {@link RouteBatch}. */
export interface GroupRoutes extends RouteVersion {
  readonly filters: readonly string[];
}

export interface QueueShard {
  /** As in the subscription: with `$share/…/` where shared. */
  readonly filter: string;
  readonly shard: number;
}

/**
 * What a shard's owner asks of one session group, by its leader: answers have everything that was
 * committed when they were asked for. Answers to many come in their order.
 */
export interface SessionQueries {
  /**
   * All routes. Of a group that has taken the control log up to version `after`, so that what is
   * subscribed later waits for this store; `unavailable` before that.
   */
  routes(after: number): Promise<GroupRoutes>;
  /**
   * Of each, the lowest offset in the shard that a session still needs from the queue, minus one:
   * everything up to it may be trimmed. Undefined if no session of the group has the route.
   */
  lowest(asked: readonly QueueShard[]): Promise<readonly (number | undefined)[]>;
  /** Of each, unfinished deliveries of a shared subscription's queue that belong to sessions for good (QoS 2). */
  sharedUnfinished(asked: readonly QueueShard[]): Promise<readonly (readonly number[])[]>;
  /** Of each, whether the session of this incarnation still exists, or what it left is still to be removed. */
  areLive(incarnations: readonly number[]): Promise<readonly boolean[]>;
}
