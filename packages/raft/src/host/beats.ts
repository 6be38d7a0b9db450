/** The beats that no message of the core stands behind. */
import type { RaftCore } from "../core/port.ts";
import type { ReplicaId } from "../core/types.ts";
import type { GroupId } from "../storage/port.ts";
import type { Beat } from "../transport/port.ts";
import type { Outbox } from "./outbox.ts";

/**
 * An answer of no term, which no core takes for one. It tells which disk is here before anything
 * else can happen, and wakes a leader, so that this replica hears from it.
 */
export function sayHello(outbox: Outbox, group: GroupId, { id, configuration }: RaftCore): void {
  for (const [to, { name }] of configuration.nodes) {
    if (to !== id) outbox.beat(name, hello(group, id, to));
  }
}

/** The same to the leader alone, of a follower that woke: without a word from it, it would campaign. */
export function greetLeader(outbox: Outbox, group: GroupId, core: RaftCore): void {
  const { id, leader, configuration } = core;
  const name = configuration.nodes.get(leader)?.name;
  if (leader !== id && name !== undefined) outbox.beat(name, hello(group, id, leader));
}

function hello(group: GroupId, from: ReplicaId, to: ReplicaId): Beat {
  return { kind: 1, group, from, to, term: 0, commit: 0, context: 0 };
}

export function removedBeat(group: GroupId, { id, term }: RaftCore, to: ReplicaId): Beat {
  return { kind: 3, group, from: id, to, term, commit: 0, context: 0 };
}
