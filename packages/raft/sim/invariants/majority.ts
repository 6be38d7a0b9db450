/** Majorities, counted without the code that they check. */
import type { Configuration, ReplicaId } from "../../src/core/types.ts";

export function majority(
  configuration: Configuration,
  has: (replica: ReplicaId) => boolean,
): boolean {
  return most(configuration.voters, has) && most(configuration.outgoing, has);
}

function most(voters: readonly ReplicaId[], has: (replica: ReplicaId) => boolean): boolean {
  return voters.length === 0 || voters.filter(has).length > voters.length / 2;
}

/** Equal texts for configurations that mean the same. */
export function configurationText(configuration: Configuration): string {
  const list = (ids: readonly ReplicaId[]): string => [...ids].sort((a, b) => a - b).join(",");
  const { voters, outgoing, learners, learnersNext, autoLeave, highest, nodes } = configuration;
  const where = [...nodes]
    .sort(([a], [b]) => a - b)
    .map(([id, { name, disk }]) => `${id}@${name}/${disk}`);
  const old = outgoing.length > 0 ? ` outgoing ${list(outgoing)}${autoLeave ? " auto" : ""}` : "";
  const next = learnersNext.length > 0 ? ` next ${list(learnersNext)}` : "";
  return `voters ${list(voters)}${old} learners ${list(learners)}${next} highest ${highest} on ${where.join(" ")}`;
}
