import type { RaftCore } from "../core/port.ts";
import type { GroupId } from "../storage/port.ts";
import type { Peers } from "./peers.ts";
import type { GroupStatus } from "./port.ts";

export function groupStatus(
  group: GroupId,
  core: RaftCore,
  peers: Peers,
  asleep: boolean,
): GroupStatus {
  const { role, term, leader, commit, applied, firstIndex, lastIndex, configuration } = core;
  const progress = role === "leader" ? [...core.progress()] : [];
  return {
    group,
    replica: core.id,
    role,
    term,
    leader,
    commit,
    applied,
    firstIndex,
    lastIndex,
    configuration,
    asleep,
    members: progress.map(([id, { match, recentlyActive }]) => ({
      id,
      match,
      active: recentlyActive,
    })),
    impostors: peers.impostors,
  };
}
