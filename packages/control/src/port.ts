/**
 * The Control port: what gateways, store processes and session nodes ask of the control plane. Calls
 * are answered by the leader of the control group alone; others refuse with `not-leader`.
 */
import type {
  Ban,
  Incarnation,
  MemberKind,
  Version,
  VersionedChange,
  WholeView,
} from "./change.ts";

export interface JoinRequest {
  readonly kind: MemberKind;
  readonly name: string;
  readonly address: string;
  /** See Member. Whoever names a disk holds its lock: an earlier store process with it is dead. */
  readonly disk: string;
  /** Chosen by the caller at random: the same request asked again is the same life. */
  readonly token: string;
}

export interface Joined {
  /** Nothing may be done in its name before its process has seen this version of the view. */
  readonly incarnation: Incarnation;
  /** How long the lease lasts, in ms, from when a renewal (or this join) was sent; 0: it never ends. */
  readonly lease: number;
}

export interface Renewal {
  readonly incarnation: Incarnation;
  /** The highest version that the member obeys; its own incarnation before it has said anything. */
  readonly acknowledged: Version;
}

export interface Announcement {
  /** Stable over restarts. */
  readonly name: string;
  readonly address: string;
  /** Of its data folder. */
  readonly disk: number;
  /** What its disk has of the control group; 0: nothing. */
  readonly replica: number;
}

export interface Announced {
  readonly version: Version;
  /** As which replica it belongs to every group; 0: what it has is being given up. */
  readonly replica: number;
}

export interface NodeWish {
  readonly name: string;
  readonly wish: /** It may come, also where it was removed. */
    | "add"
    /** Its replicas are taken out, after its leaderships. */
    | "remove"
    /** Its disk is lost: its replicas are taken out, and it may come back with another. */
    | "replace"
    /** It shall lead no group; or may again. */
    | "drain"
    | "resume";
}

/** Called in order. */
export interface WatchSink {
  whole(view: WholeView): void;
  /** Everything up to `version`, in order. */
  changes(changes: readonly VersionedChange[], version: Version): void;
  /** The stream has ended; watch again, perhaps elsewhere. The last call. */
  ended(error: ControlError): void;
}

export interface AttendSink {
  /** Attend again, at the leader. The last call. */
  ended(error: ControlError): void;
}

/** One that is closed calls its sink no more. */
export interface Watch {
  close(): void;
}

export type ControlErrorCode =
  /** Nothing was done: another node leads, named by `leader` where it is known. */
  | "not-leader"
  /** The incarnation has ended: its process has to join anew. */
  | "ended"
  /** Nothing was done; try again. */
  | "unavailable"
  /** Of a renewal: the lease is not extended, as the member obeys nothing newer. Watch elsewhere, perhaps. */
  | "behind"
  /** It may be done later, or never. Every call may be repeated. */
  | "indeterminate"
  /** The request can't be granted; the message says why and what to do. */
  | "refused"
  | "closed";

export class ControlError extends Error {
  readonly code: ControlErrorCode;
  /** Of `not-leader`: the node that leads. */
  readonly leader: string | undefined;
  constructor(
    code: ControlErrorCode,
    message: string,
    options?: ErrorOptions & { readonly leader?: string | undefined },
  ) {
    super(message, options);
    this.name = "ControlError";
    this.code = code;
    this.leader = options?.leader;
  }
}

export interface Control {
  join(request: JoinRequest): Promise<Joined>;
  /**
   * Settles when the lease is extended, counted from when this was sent. What the member says to have
   * acknowledged counts also where it is not.
   */
  renew(renewal: Renewal): Promise<void>;
  /** A planned end: at once, as its lease's end would do it. Does nothing for who has ended. */
  leave(incarnation: Incarnation): Promise<void>;
  /**
   * Held by a gateway at the leader for as long as it lives: where it breaks and none follows soon, the
   * gateway counts as dead before its lease ends. The server of a connection closes it when that breaks.
   */
  attend(incarnation: Incarnation, sink: AttendSink): Watch;
  /**
   * Everything after `after` (0: the whole), then what follows. Any replica serves it, as of what is
   * applied there; one that is behind `after` says nothing until it has caught up.
   */
  watch(after: Version, sink: WatchSink): Watch;
  /** The owner wants to open its shard anew, under a higher epoch, which it returns. `refused`: it owns it not. */
  reopen(incarnation: Incarnation, shard: number): Promise<number>;
  ban(ban: Ban): Promise<Version>;
  unban(kind: Ban["kind"], value: string): Promise<Version>;
  /**
   * A session node is there, and reached at this address from now on; said at each start. One that is
   * new becomes a member by it. `refused` where somebody has to allow that first; the message says how.
   */
  announce(node: Announcement): Promise<Announced>;
  /**
   * A session group's leader says that a gateway does not give up a session that is claimed: for a few
   * seconds its lease is not extended. Said again for as long as it is so.
   */
  accuse(gateway: Incarnation): Promise<void>;
  /** Settles when it is committed; that it is so in all groups takes longer. `refused`: why it can't be. */
  wish(wish: NodeWish): Promise<Version>;
  /** Settles when every live gateway has acknowledged this version, or is down. */
  inForce(version: Version): Promise<void>;
}
