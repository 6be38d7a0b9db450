/**
 * Session nodes come and go. Which replicas each group shall have follows from this alone; the groups'
 * leaders bring them in line with it (group-members.ts).
 */
import type { Change, SessionNode } from "./change.ts";
import type { Founder } from "./commands.ts";
import { MAX_ENTRIES, MAX_TEXT } from "./joining.ts";
import type { Announcement, NodeWish } from "./port.ts";
import type { Tables } from "./tables.ts";

/** Above the ids of founders, so that nobody who has lost his disk takes a new place for his old one. */
const LAST_FOUNDER = 100;

interface Answer<R> {
  readonly result: R;
  readonly changes: readonly Change[];
}

type Refusal = { readonly refused: string };

export function isSameNode(one: SessionNode, other: SessionNode): boolean {
  const { address, disk, replica, standing, drained } = one;
  const isInPlace = address === other.address && disk === other.disk && replica === other.replica;
  return isInPlace && standing === other.standing && drained === other.drained;
}

export function founders(tables: Tables, all: readonly Founder[]): Change[] {
  const { view } = tables;
  if (view.shards === 0 || tables.lastReplica > 0) return [];
  tables.lastReplica = Math.max(LAST_FOUNDER, ...all.map(({ replica }) => replica));
  return all.map((founder) => {
    const { address = "", drained = false } = view.nodeEntry(founder.name) ?? {};
    return { type: "node", node: { ...founder, address, standing: "member", drained } };
  });
}

export function announce(
  tables: Tables,
  announced: Announcement,
): Answer<{ replica: number } | Refusal> {
  const refused = whyNot(tables, announced);
  if (refused !== undefined) return { result: { refused }, changes: [] };
  const { name, address, disk, replica: has } = announced;
  const entry = tables.view.nodeEntry(name) ?? unknown(name);
  const isMember = entry.standing === "member" || entry.standing === "leaving";
  // One that still runs what is being given up gets nothing new before that is gone.
  const isNew = !isMember && has === 0;
  const node: SessionNode = isNew
    ? { ...entry, address, disk, replica: ++tables.lastReplica, standing: "member" }
    : { ...entry, address };
  const changes = isSameNode(entry, node) ? [] : [{ type: "node", node } as const];
  return { result: { replica: node.replica }, changes };
}

function whyNot({ view, lastReplica }: Tables, announced: Announcement): string | undefined {
  const { name, address, disk, replica } = announced;
  if (lastReplica === 0) return "the cluster is not created yet";
  const entry = view.nodeEntry(name);
  if (name === "" || Math.max(name.length, address.length) > MAX_TEXT) {
    return `a node has a name, and it and its address have at most ${MAX_TEXT} letters`;
  }
  if (entry === undefined) {
    if (replica !== 0) return `${name} has replicas of another cluster on its disk`;
    const isFull = [...view.nodeEntries()].length >= MAX_ENTRIES;
    return isFull ? `there are ${MAX_ENTRIES} session nodes already` : undefined;
  }
  switch (entry.standing) {
    case "awaited":
      return undefined;
    case "left":
      return `${name} was removed from the cluster; to let it in again: canopy admin cluster add ${name}`;
    case "member":
    case "leaving":
      if (entry.disk === disk) return undefined;
      return (
        `the cluster knows ${name} by another disk; if that is lost for good: ` +
        `canopy admin cluster replace ${name}`
      );
  }
}

export function wish(tables: Tables, { name, wish: what }: NodeWish): Answer<Refusal | undefined> {
  const { view, lastReplica } = tables;
  const entry = view.nodeEntry(name);
  if (lastReplica === 0) return refuse("the cluster is not created yet");
  if (entry === undefined) {
    if (what !== "add") return refuse(`there is no session node ${name}`);
    if (name === "" || name.length > MAX_TEXT) return refuse("that is no name of a node");
    if ([...view.nodeEntries()].length >= MAX_ENTRIES) return refuse("there are too many nodes");
    return { result: undefined, changes: [{ type: "node", node: unknown(name) }] };
  }
  const others = [...view.nodeEntries()].filter((one) => one !== entry);
  const node = changed(
    entry,
    what,
    others.some(({ standing }) => standing === "member"),
  );
  if (typeof node === "string") return refuse(node);
  return { result: undefined, changes: isSameNode(entry, node) ? [] : [{ type: "node", node }] };
}

/** As it is wished; or why that can't be. */
function changed(
  entry: SessionNode,
  what: NodeWish["wish"],
  othersRemain: boolean,
): SessionNode | string {
  const { name, standing } = entry;
  switch (what) {
    case "add":
      if (standing === "leaving")
        return `${name} is leaving; when it has left it can be added again`;
      return standing === "left" ? { ...entry, ...awaited } : entry;
    case "remove":
      if (standing === "awaited") return { ...entry, standing: "left" };
      if (standing === "left") return entry;
      if (!othersRemain) return `${name} is the last member`;
      return { ...entry, standing: "leaving" };
    case "replace":
      if (standing === "awaited") return entry;
      if (standing === "left") return `${name} was removed; to let it in again, add it`;
      if (!othersRemain)
        return `${name} is the last member: there is nothing to take its place from`;
      return { ...entry, ...awaited };
    case "drain":
      return { ...entry, drained: true };
    case "resume":
      return { ...entry, drained: false };
  }
}

/** What it has left, it has left as this replica. */
export function left({ view }: Tables, name: string, replica: number): Change[] {
  const entry = view.nodeEntry(name);
  if (entry?.standing !== "leaving" || entry.replica !== replica) return [];
  return [{ type: "node", node: { ...entry, ...awaited, standing: "left", drained: false } }];
}

const awaited = { standing: "awaited", disk: 0, replica: 0 } as const;

function unknown(name: string): SessionNode {
  return { name, address: "", drained: false, ...awaited };
}

function refuse(refused: string): Answer<Refusal> {
  return { result: { refused }, changes: [] };
}
