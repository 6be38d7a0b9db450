/**
 * The commands of the control group. They are what is kept in its log: everything that changes the
 * cluster's view is one of these. Applied twice in a row each does what it does once, but for reopen,
 * which gives one more epoch.
 */
import type { Ban, Incarnation, SessionNode } from "./change.ts";
import type { Announcement, JoinRequest, NodeWish } from "./port.ts";

/** The first one counts: the numbers of shards and session groups never change. */
export interface CreateCommand {
  readonly type: "create";
  readonly shards: number;
  readonly groups: number;
}

export interface JoinCommand extends JoinRequest {
  readonly type: "join";
}

export interface EndCommand {
  readonly type: "gateway-down" | "gateway-gone" | "store-down";
  readonly incarnation: Incarnation;
}

/** A shard gets an owner, unless somebody else has decided about it since. */
export interface Assignment {
  readonly shard: number;
  /** A live store process. */
  readonly owner: Incarnation;
  /** The one that the shard had when this was decided; it gets the next. */
  readonly epoch: number;
}

export interface AssignCommand {
  readonly type: "assign";
  readonly assignments: readonly Assignment[];
}

/** The owner's. */
export interface ReopenCommand {
  readonly type: "reopen";
  readonly incarnation: Incarnation;
  readonly shard: number;
}

/** Instead of one of the same kind and value. */
export interface BanCommand {
  readonly type: "ban";
  readonly ban: Ban;
  /** Wall clock, ms: bans that are over by now are forgotten. */
  readonly wall: number;
}

export interface UnbanCommand {
  readonly type: "unban";
  readonly kind: Ban["kind"];
  readonly value: string;
}

/** The first one counts: those that created the cluster, as the control group was begun. */
export interface FoundersCommand {
  readonly type: "founders";
  readonly founders: readonly Founder[];
}

export type Founder = Pick<SessionNode, "name" | "disk" | "replica">;

/** A session node says that it is there. */
export interface NodeCommand extends Announcement {
  readonly type: "node";
}

/** What shall become of a session node. */
export interface NodeWishCommand extends NodeWish {
  readonly type: "node-wish";
}

/** No group has this replica any more. */
export interface NodeLeftCommand {
  readonly type: "node-left";
  readonly name: string;
  readonly replica: number;
}

export type Command =
  | CreateCommand
  | JoinCommand
  | EndCommand
  | AssignCommand
  | ReopenCommand
  | BanCommand
  | UnbanCommand
  | FoundersCommand
  | NodeCommand
  | NodeWishCommand
  | NodeLeftCommand;

export type CommandType = Command["type"];
