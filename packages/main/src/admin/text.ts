/** What a person reads of the cluster. */
import type { GroupInfo, NodeInfo, ShardInfo } from "@canopy/control";
import { table } from "./table.ts";

export function nodesText(nodes: readonly NodeInfo[]): string {
  const heading = ["NAME", "ROLE", "STATE", "ADDRESS", "LIFE", "LEASE", "LOAD", "VERSION"];
  return table(
    heading,
    nodes.map((node) => [
      node.name || "-",
      node.role,
      stateOf(node),
      node.address || "-",
      node.role === "session" ? `replica ${node.replica || "-"}` : `${node.incarnation}`,
      leaseOf(node),
      loadOf(node),
      node.software || "-",
    ]),
  );
}

export function groupsText(groups: readonly GroupInfo[]): string {
  const heading = ["GROUP", "LEADER", "TERM", "COMMIT", "REPLICAS", "DOING"];
  return table(
    heading,
    groups.map(({ group, leader, term, commit, replicas, doing }) => [
      group === 0 ? "0 (control)" : `${group}`,
      leader || "-",
      `${term}`,
      `${commit}`,
      replicas.map((one) => replicaText(one, commit)).join(", ") || "-",
      doing || "-",
    ]),
  );
}

export function shardsText(shards: readonly ShardInfo[]): string {
  return table(
    ["SHARD", "OWNER", "LIFE", "EPOCH", "DISK"],
    shards.map(({ shard, owner, incarnation, epoch, home }) => [
      `${shard}`,
      owner || "-",
      incarnation === 0 ? "-" : `${incarnation}`,
      `${epoch}`,
      home || "-",
    ]),
  );
}

function stateOf({ state, drained, answers, role }: NodeInfo): string {
  const marks = [state as string];
  if (drained) marks.push("drained");
  const isExpected = state === "member" || state === "leaving";
  if (isExpected && !answers) marks.push(role === "session" ? "does not answer" : "lease is over");
  return marks.join(", ");
}

function leaseOf({ role, leaseLeft }: NodeInfo): string {
  if (role === "session") return "-";
  return leaseLeft === undefined ? "unknown" : `${(leaseLeft / 1_000).toFixed(1)} s`;
}

function loadOf({ role, leads, shards }: NodeInfo): string {
  if (role === "session") return leads.length === 0 ? "leads none" : `leads ${leads.join(" ")}`;
  return role === "store" ? `${shards} shards` : "-";
}

/** The lag is what has been committed and has not been applied there. */
function replicaText(
  { node, replica, voter, applied }: GroupInfo["replicas"][number],
  commit: number,
): string {
  const lag = applied === undefined ? "away" : `-${Math.max(0, commit - applied)}`;
  return `${node}#${replica}${voter ? "" : " learner"} ${lag}`;
}
