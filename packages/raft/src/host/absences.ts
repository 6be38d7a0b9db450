/**
 * Groups that ended here while the node lives on. Who sleeps in one of them counts on that word, so
 * it is told, with every word that this node lives, for long enough: either one of these comes, or
 * nothing does, and that wakes the sleeper too.
 */
import type { GroupId } from "../storage/port.ts";
import type { NodeName } from "../transport/port.ts";

interface Absence {
  readonly nodes: readonly NodeName[];
  /** In ticks. */
  readonly endsAt: number;
}

export class Absences {
  readonly #absent = new Map<GroupId, Absence>();

  /** `nodes`: where the other members are. */
  add(group: GroupId, nodes: readonly NodeName[], endsAt: number): void {
    this.#absent.set(group, { nodes, endsAt });
  }

  tell(ticks: number, send: (to: NodeName, group: GroupId) => void): void {
    for (const [group, { nodes, endsAt }] of this.#absent) {
      if (ticks > endsAt) this.#absent.delete(group);
      else for (const node of nodes) send(node, group);
    }
  }
}
