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
    if (to === id) continue;
    outbox.beat(name, { kind: 1, group, from: id, to, term: 0, commit: 0, context: 0 });
  }
}

export function removedBeat(group: GroupId, { id, term }: RaftCore, to: ReplicaId): Beat {
  return { kind: 3, group, from: id, to, term, commit: 0, context: 0 };
}
