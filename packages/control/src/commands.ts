/**
 * The commands of the control group. They are what is kept in its log: everything that changes the
 * cluster's view is one of these. Applied twice in a row each does what it does once, but for reopen,
 * which gives one more epoch.
 */
import type { Ban, Incarnation, SessionNode } from "./change.ts";
import type { JoinRequest } from "./port.ts";

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

export interface NodeCommand {
  readonly type: "node";
  readonly node: SessionNode;
}

export interface NodeLeftCommand {
  readonly type: "node-left";
  readonly name: string;
}

export type Command =
  | CreateCommand
  | JoinCommand
  | EndCommand
  | AssignCommand
  | ReopenCommand
  | BanCommand
  | UnbanCommand
  | NodeCommand
  | NodeLeftCommand;

export type CommandType = Command["type"];
