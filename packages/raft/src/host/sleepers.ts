import type { NodeName } from "../transport/port.ts";
import type { Group } from "./group.ts";

/** Which groups sleep, and which nodes have to live for that. */
export class NodesOfSleepers {
  readonly #groups = new Map<NodeName, Set<Group>>();
  /** In ticks. */
  readonly #heardAt = new Map<NodeName, number>();

  add(group: Group, nodes: readonly NodeName[], now: number): void {
    group.sleepsWith = nodes;
    for (const node of nodes) {
      const groups = this.#groups.get(node);
      if (groups === undefined) {
        this.#groups.set(node, new Set([group]));
        this.#heardAt.set(node, now);
      } else groups.add(group);
    }
  }

  remove(group: Group): void {
    for (const node of group.sleepsWith) {
      const groups = this.#groups.get(node);
      groups?.delete(group);
      if (groups?.size === 0) this.#groups.delete(node);
    }
    group.sleepsWith = [];
  }

  /** Those that count on this node. */
  of(node: NodeName): readonly Group[] {
    return [...(this.#groups.get(node) ?? [])];
  }

  all(): Iterable<NodeName> {
    return this.#groups.keys();
  }

  heard(node: NodeName, now: number): void {
    if (this.#groups.has(node)) this.#heardAt.set(node, now);
  }

  /** Those that count on a node that was last heard before `since`. */
  lost(since: number): readonly Group[] {
    const lost: Group[] = [];
    for (const [node, groups] of this.#groups) {
      if ((this.#heardAt.get(node) ?? since) < since) lost.push(...groups);
    }
    return lost;
  }
}
