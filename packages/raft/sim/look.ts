/** Questions about the whole of a simulated cluster. */
import type { GroupStatus } from "../src/host/port.ts";
import type { Simulation } from "./simulation.ts";

/** The group works without these nodes, whatever of the changes of members that are known comes in force. */
export function canDoWithout(sim: Simulation, gone: readonly string[]): boolean {
  return eachGroup(sim, (group) => {
    const status = sim.leaderOf(group)?.status;
    if (status === undefined || sim.operator.isBusy(group)) return false;
    const { voters, outgoing, nodes } = status.configuration;
    if (outgoing.length > 0 || sim.changing(group, status.applied)) return false;
    const missing = voters.filter((id) => {
      const member = nodes.get(id);
      const at = sim.node(member?.name ?? "");
      const open = at?.groups.get(group);
      const lost = at?.diskId !== member?.disk;
      return lost || at === undefined || gone.includes(at.name) || open?.shadow.id !== id;
    });
    return missing.length < voters.length / 2;
  });
}

export function isMember({ replica, configuration }: GroupStatus): boolean {
  return configuration.voters.includes(replica) || configuration.learners.includes(replica);
}

export function eachGroup(sim: Simulation, is: (group: number) => boolean): boolean {
  for (let group = 0; group < sim.plan.groups; group++) if (!is(group)) return false;
  return true;
}

/** Election timeouts, and the longest back-offs of storage and snapshots. */
export function patienceOf({ plan }: Simulation): number {
  return 40 * plan.tick * plan.electionTicks + 25_000;
}

/** Asked every so many times only. */
export function every(times: number, is: () => boolean): () => boolean {
  let left = 0;
  return () => {
    if (left-- > 0) return false;
    left = times;
    return is();
  };
}
