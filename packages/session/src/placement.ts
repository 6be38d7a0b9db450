/**
 * Which session group a client belongs to, and whose sessions an incarnation is. Contracts between
 * processes and of what is on disk, like the shard of a topic name: the number of groups is fixed when
 * the cluster is created. placement.test.ts pins test vectors.
 */
import { shardOf } from "@canopy/topic";

/** The place of a state among those of its cluster. */
export interface Placement {
  /** Number of shards of the cluster. */
  readonly shards: number;
  /** Number of session groups of the cluster. */
  readonly groups: number;
  /** Whose state this is, in [1, groups]. */
  readonly group: number;
}

/** The session group of a client identifier, in [1, groups]; group 0 is the control plane. */
export function groupOf(clientId: string, groups: number): number {
  return 1 + shardOf(clientId, groups);
}

/** Incarnations are unique over all groups: counter × groups + (group - 1). */
export function nextIncarnation(last: number, { groups, group }: Placement): number {
  return last === 0 ? groups + group - 1 : last + groups;
}

/** The session group that has made an incarnation, in [1, groups]. */
export function groupOfIncarnation(incarnation: number, groups: number): number {
  return 1 + (incarnation % groups);
}
