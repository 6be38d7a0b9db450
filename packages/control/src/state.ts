/** The replicated state of the control group: the same commands in the same order give the same state. */
import type { Ban, Change, Incarnation, Version, VersionedChange, WholeView } from "./change.ts";
import type { BanCommand, Command, EndCommand, JoinCommand, ReopenCommand } from "./commands.ts";
import {
  assign,
  join,
  joinedBefore,
  MAX_ENTRIES,
  MAX_TEXT,
  memberDown,
  owned,
  whyNotJoin,
} from "./joining.ts";
import { announce, founders, left, wish } from "./nodes.ts";
import { encodeSnapshot } from "./snapshot.ts";
import { Tables } from "./tables.ts";
import { ClusterView, unownedPlace } from "./view.ts";

/** Nothing was done, for a reason that is told to who has asked. */
export interface Refused {
  readonly refused: string;
}

/** What each command answers. */
export interface Results {
  /** What counts: that of the first. */
  readonly create: { readonly shards: number; readonly groups: number };
  readonly join: { readonly incarnation: Incarnation } | Refused;
  /** False where it was so already. */
  readonly "gateway-down": boolean;
  readonly "gateway-gone": boolean;
  readonly "store-down": boolean;
  /** How many were made. */
  readonly assign: number;
  /** The new epoch. */
  readonly reopen: { readonly epoch: number } | Refused;
  readonly ban: Refused | undefined;
  readonly unban: undefined;
  readonly founders: undefined;
  /** See Announced. */
  readonly node: { readonly replica: number } | Refused;
  readonly "node-wish": Refused | undefined;
  /** False where it was so already. */
  readonly "node-left": boolean;
}

export type Result = Results[keyof Results];

export interface Applied<R = Result> {
  readonly result: R;
  /** All with the command's version. */
  readonly changes: readonly Change[];
}

/** A view that others keep. */
export type ReadonlyView = Omit<ClusterView, "apply" | "load">;

const NOTHING: readonly Change[] = [];
/** Before its creation a cluster has nothing, so that whoever has a view knows its size. */
const NOT_CREATED = { result: { refused: "the cluster is not created yet" }, changes: NOTHING };

export class ControlState {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** @param window how many changes are kept for watchers that come back */
  static create(window?: number): ControlState {
    return new ControlState(new Tables(new ClusterView().whole(), window));
  }

  /** Of the last command that changed anything. */
  get version(): Version {
    return this.#tables.view.version;
  }

  get view(): ReadonlyView {
    return this.#tables.view;
  }

  /** `version`: the index of the command's entry in the log; it only grows. */
  apply<C extends Command>(command: C, version: Version): Applied<Results[C["type"]]> {
    const applied = dispatch(this.#tables, command, version);
    this.#tables.commit(applied.changes, version);
    forget(this.#tables, applied.changes);
    return applied as Applied<Results[C["type"]]>;
  }

  /** In order; undefined where it was too long ago: whole() then. */
  changesSince(version: Version): readonly VersionedChange[] | undefined {
    return this.#tables.window.since(version);
  }

  whole(): WholeView {
    return this.#tables.view.whole();
  }

  /** The state as it is now, in chunks, while commands go on being applied. */
  snapshot(): IterableIterator<Uint8Array> {
    const { tokens, lastReplica } = this.#tables;
    return encodeSnapshot(this.whole(), new Map(tokens), lastReplica);
  }
}

function dispatch(tables: Tables, command: Command, version: Version): Applied {
  switch (command.type) {
    case "create":
      return create(tables, command.shards, command.groups, version);
    case "join":
      return applyJoin(tables, command, version);
    case "gateway-down":
    case "store-down":
      return applyDown(tables, command);
    case "gateway-gone":
      return applyGone(tables, command.incarnation);
    case "assign": {
      const changes = assign(tables, command.assignments);
      return { result: changes.length, changes };
    }
    case "reopen":
      return applyReopen(tables, command);
    case "ban":
      return applyBan(tables, command);
    case "unban":
      return { result: undefined, changes: unban(tables, command.kind, command.value) };
    case "founders":
      return { result: undefined, changes: founders(tables, command.founders) };
    case "node":
      return announce(tables, command);
    case "node-wish":
      return wish(tables, command);
    case "node-left": {
      const changes = left(tables, command.name, command.replica);
      return { result: changes.length > 0, changes };
    }
  }
}

/** Makes a version without a change: before it there is no view that anybody could have. */
function create({ view }: Tables, shards: number, groups: number, version: Version): Applied {
  if (view.shards === 0) {
    const places = Array.from({ length: shards }, (_, shard) => unownedPlace(shard));
    view.load({ ...view.whole(), version, shards, groups, places });
  }
  return { result: { shards: view.shards, groups: view.groups }, changes: NOTHING };
}

function applyJoin(tables: Tables, command: JoinCommand, version: Version): Applied {
  const known = joinedBefore(tables, command.token);
  if (known !== undefined) return { result: { incarnation: known }, changes: NOTHING };
  const refused = whyNotJoin(tables, command);
  if (refused !== undefined) return { result: { refused }, changes: NOTHING };
  const changes = join(tables, command, version);
  tables.tokens.set(version, command.token);
  return { result: { incarnation: version }, changes };
}

function applyDown(tables: Tables, { type, incarnation }: EndCommand): Applied {
  const member = tables.view.member(incarnation);
  const isMeant = member?.kind === (type === "store-down" ? "store" : "gateway");
  return { result: isMeant, changes: isMeant ? memberDown(tables, member) : NOTHING };
}

function applyGone({ view }: Tables, incarnation: Incarnation): Applied {
  const isDown = view.isDown(incarnation);
  const change: Change = { type: "gateway-gone", incarnation };
  return { result: isDown, changes: isDown ? [change] : NOTHING };
}

function applyReopen({ view }: Tables, { incarnation, shard }: ReopenCommand): Applied {
  const place = view.place(shard);
  const store = view.member(incarnation);
  if (store === undefined || place.owner !== incarnation) {
    const refused = `the store process ${incarnation} does not own shard ${shard}`;
    return { result: { refused }, changes: NOTHING };
  }
  return { result: { epoch: place.epoch + 1 }, changes: [owned(place, store)] };
}

function applyBan(tables: Tables, { ban, wall }: BanCommand): Applied {
  const kept = [...tables.view.bans()];
  const over = kept.filter(({ until }) => until !== 0 && until <= wall);
  const changes = over.flatMap(({ kind, value }) => unban(tables, kind, value));
  if (tables.view.shards === 0) return NOT_CREATED;
  const isTooLong = ban.value.length > MAX_TEXT || ban.reason.length > MAX_TEXT;
  if (isTooLong || kept.length - over.length >= MAX_ENTRIES) {
    const refused = isTooLong ? "the ban's text is too long" : `there are ${MAX_ENTRIES} bans`;
    return { result: { refused }, changes };
  }
  return { result: undefined, changes: [...changes, { type: "banned", ban }] };
}

function unban({ view }: Tables, kind: Ban["kind"], value: string): Change[] {
  const isKnown = view.ban(kind, value, Number.NEGATIVE_INFINITY) !== undefined;
  return isKnown ? [{ type: "unbanned", kind, value }] : [];
}

function forget({ tokens }: Tables, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type === "gateway-down" || change.type === "store-down") {
      tokens.delete(change.incarnation);
    }
  }
}
