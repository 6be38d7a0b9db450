import type { Ban, Change, SessionNode, ShardPlace, WholeView } from "./change.ts";
import { isSameNode } from "./nodes.ts";

/** Changes that lead from one view to a later one: ends first, so that nobody is there twice. */
export function difference(before: WholeView, after: WholeView): readonly Change[] {
  return [
    ...memberEnds(before, after),
    ...memberStarts(before, after),
    ...places(before.places, after.places),
    ...nodes(before.nodes, after.nodes),
    ...bans(before.bans, after.bans),
  ];
}

function memberEnds(before: WholeView, after: WholeView): Change[] {
  const changes: Change[] = [];
  const live = new Set(after.members.map(({ incarnation }) => incarnation));
  const down = new Set(after.down.map(({ incarnation }) => incarnation));
  for (const { kind, incarnation } of before.members) {
    if (live.has(incarnation)) continue;
    if (kind === "store") {
      changes.push({ type: "store-down", incarnation });
      continue;
    }
    changes.push({ type: "gateway-down", incarnation });
    if (!down.has(incarnation)) changes.push({ type: "gateway-gone", incarnation });
  }
  for (const { incarnation } of before.down) {
    if (!down.has(incarnation)) changes.push({ type: "gateway-gone", incarnation });
  }
  return changes;
}

function memberStarts(before: WholeView, after: WholeView): Change[] {
  const known = new Set(before.members.map(({ incarnation }) => incarnation));
  const wasDown = new Set(before.down.map(({ incarnation }) => incarnation));
  const changes: Change[] = after.members
    .filter(({ incarnation }) => !known.has(incarnation))
    .map((member) => ({ type: "member-up", member }));
  for (const { incarnation } of after.down) {
    if (known.has(incarnation) || wasDown.has(incarnation)) continue;
    changes.push({ type: "gateway-down", incarnation });
  }
  return changes;
}

function places(before: readonly ShardPlace[], after: readonly ShardPlace[]): Change[] {
  return after
    .filter((place) => {
      const was = before[place.shard];
      if (was === undefined) return place.epoch !== 0;
      return was.owner !== place.owner || was.epoch !== place.epoch || was.home !== place.home;
    })
    .map((place) => ({ type: "shard", place }));
}

/** None is ever forgotten. */
function nodes(before: readonly SessionNode[], after: readonly SessionNode[]): Change[] {
  const known = new Map(before.map((node) => [node.name, node]));
  const isNew = (node: SessionNode): boolean => {
    const was = known.get(node.name);
    return was === undefined || !isSameNode(was, node);
  };
  return after.filter(isNew).map((node): Change => ({ type: "node", node }));
}

function bans(before: readonly Ban[], after: readonly Ban[]): Change[] {
  const key = ({ kind, value }: Ban): string => `${kind} ${value}`;
  const kept = new Set(after.map(key));
  const known = new Map(before.map((ban) => [key(ban), ban]));
  const isNew = (ban: Ban): boolean => {
    const was = known.get(key(ban));
    return was === undefined || was.reason !== ban.reason || was.until !== ban.until;
  };
  return [
    ...before
      .filter((ban) => !kept.has(key(ban)))
      .map(({ kind, value }): Change => ({ type: "unbanned", kind, value })),
    ...after.filter(isNew).map((ban): Change => ({ type: "banned", ban })),
  ];
}
