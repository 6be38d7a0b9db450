/**
 * The commands of the replicated session state. They are what is kept in the log: everything that
 * changes a session is one of these, and nothing else is.
 *
 * A command about a session names its (incarnation, epoch) and does nothing on a mismatch.
 */
import type {
  DeliveryChanges,
  OpenRequest,
  Progress,
  ReleaseRequest,
  SubscribeRequest,
  UnsubscribeRequest,
} from "./port.ts";

/** One opening of one session. */
export interface SessionKey {
  readonly incarnation: number;
  readonly epoch: number;
}

interface Timed {
  /** The group's own clock in ms when the command was made; the state's never goes back. */
  readonly at: number;
}

/** Nothing but the clock, so that a restart loses little of it. */
export interface TickCommand extends Timed {
  readonly type: "tick";
}

/**
 * What has changed in the control log since the version that the group knew, up to `version`. One of a
 * version that it knows does nothing. Numbers are incarnations.
 */
export interface MembersCommand extends Timed {
  readonly type: "members";
  readonly version: number;
  readonly gatewaysUp: readonly number[];
  readonly gatewaysGone: readonly number[];
  readonly storesUp: readonly number[];
  readonly storesDown: readonly number[];
}

/**
 * Releases sessions of a gateway that is gone, named by incarnation, in batches; those that are not
 * (any more) its own are left alone.
 */
export interface GatewayDownCommand extends Timed {
  readonly type: "gateway-down";
  readonly gateway: number;
  readonly sessions: readonly number[];
}

export interface OpenCommand extends Timed {
  readonly type: "open";
  readonly request: OpenRequest;
}

export interface ReleaseCommand extends Timed {
  readonly type: "release";
  readonly request: ReleaseRequest;
}

/** The subscribes of one turn: all begin at the same place. */
export interface SubscribeCommand extends Timed {
  readonly type: "subscribe";
  /** The last offset of every shard. */
  readonly heads: readonly number[];
  readonly requests: readonly SubscribeRequest[];
}

export interface UnsubscribeCommand extends Timed {
  readonly type: "unsubscribe";
  readonly request: UnsubscribeRequest;
}

export interface ProgressCommand extends Timed {
  readonly type: "progress";
  readonly batch: readonly Progress[];
}

export interface DeliveriesCommand extends Timed {
  readonly type: "deliveries";
  readonly batch: readonly DeliveryChanges[];
}

/** Ends those sessions whose expiry has come by the command's clock. */
export interface ExpireCommand extends Timed {
  readonly type: "expire";
  readonly sessions: readonly SessionKey[];
}

/** Publishes the wills of those sessions whose delay is over by the command's clock. */
export interface FireWillCommand extends Timed {
  readonly type: "fire-will";
  readonly sessions: readonly SessionKey[];
}

/** These wills are stored: they are not published again. */
export interface WillDoneCommand extends Timed {
  readonly type: "will-done";
  readonly wills: readonly SessionKey[];
}

/** What the stores held for these ended sessions is gone. */
export interface EndedCleanedCommand extends Timed {
  readonly type: "ended-cleaned";
  readonly incarnations: readonly number[];
}

export type Command =
  | TickCommand
  | MembersCommand
  | GatewayDownCommand
  | OpenCommand
  | ReleaseCommand
  | SubscribeCommand
  | UnsubscribeCommand
  | ProgressCommand
  | DeliveriesCommand
  | ExpireCommand
  | FireWillCommand
  | WillDoneCommand
  | EndedCleanedCommand;

export type CommandType = Command["type"];
