import type { ClusterView, Member } from "@canopy/control";
import type { RouteSink } from "@canopy/session";
import { StoreLink } from "./store-link.ts";

/** What a node knows of the control log. */
export type Cluster = Pick<
  ClusterView,
  "version" | "member" | "members" | "isDown" | "place" | "listen"
>;

interface Parts {
  readonly cluster: Cluster;
  /** The port of a store process. */
  readonly sink: (member: Member) => RouteSink;
  readonly onUp: (link: StoreLink) => void;
  readonly onDown: (link: StoreLink) => void;
}

/**
 * The store processes of the group's own set, which every leader has from the state: so each waits for
 * those that an earlier one has let in. One that the control log calls down is waited for no more.
 */
export class Stores {
  readonly #parts: Parts;
  readonly #links = new Map<number, StoreLink>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Brings the links in line with the group's set and with what is known of the cluster. */
  update(set: Iterable<number>): void {
    const { onUp, onDown } = this.#parts;
    const wanted = new Set(set);
    for (const incarnation of wanted) {
      if (this.#links.has(incarnation) || this.#isDown(incarnation)) continue;
      const link = new StoreLink(incarnation, () => this.#sink(incarnation));
      this.#links.set(incarnation, link);
      onUp(link);
    }
    for (const [incarnation, link] of this.#links) {
      if (wanted.has(incarnation) && !this.#isDown(incarnation)) continue;
      this.#links.delete(incarnation);
      link.down();
      onDown(link);
    }
    for (const link of this.#links.values()) link.look();
  }

  live(): readonly StoreLink[] {
    return [...this.#links.values()];
  }

  /** The process that owns a shard, if any does; one that lives may not have been let in by the group yet. */
  owner(shard: number): StoreLink | "nobody" | "not yet" {
    const { cluster } = this.#parts;
    const { owner } = cluster.place(shard);
    if (owner === 0 || this.#isDown(owner)) return "nobody";
    return this.#links.get(owner) ?? "not yet";
  }

  /** Under which a shard is owned, or was last. */
  epoch(shard: number): number {
    return this.#parts.cluster.place(shard).epoch;
  }

  /** One that is not known yet, as this node is behind, counts as alive. */
  #isDown(incarnation: number): boolean {
    const { cluster } = this.#parts;
    return cluster.version >= incarnation && cluster.member(incarnation) === undefined;
  }

  #sink(incarnation: number): RouteSink | undefined {
    const member = this.#parts.cluster.member(incarnation);
    return member && this.#parts.sink(member);
  }
}
