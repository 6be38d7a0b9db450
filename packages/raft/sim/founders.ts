/** Sees to it that groups get begun, as a patient operator would, whatever disks are lost meanwhile. */
import type { ReplicaId } from "../src/core/types.ts";
import type { GroupId } from "../src/storage/port.ts";
import type { NodeName } from "../src/transport/port.ts";
import type { SimNode } from "./node.ts";
import type { Simulation } from "./simulation.ts";

export class Founders {
  readonly #sim: Simulation;
  /** Groups that lost a first voter's disk in the present attempt. */
  readonly #lost = new Set<GroupId>();
  /** The first voters of the present attempt. */
  readonly #voters = new Map<GroupId, ReadonlyMap<ReplicaId, NodeName>>();

  constructor(sim: Simulation) {
    this.#sim = sim;
    for (const node of sim.nodes) {
      for (const [group, { voters }] of node.assignments) this.#voters.set(group, voters);
    }
  }

  /** Nobody was elected yet, and the others can go on, or begin anew. */
  mayLose(group: GroupId): boolean {
    const { elections } = this.#sim.invariants(group).counts;
    return elections === 0 && !this.#lost.has(group) && this.#sim.plan.voters >= 3;
  }

  lose(group: GroupId): void {
    this.#lost.add(group);
  }

  /** Now and then. `newId`: above all that there were in the group. */
  look(group: GroupId, newId: () => ReplicaId): void {
    const configuration = this.#sim.leaderOf(group)?.status.configuration;
    const all = this.#all(group);
    for (const { node, replica } of all) {
      if (node.assignments.get(group)?.replica !== replica || node.hasGroup(group)) continue;
      if (!node.isFounding(group)) {
        if (node.host !== undefined) node.beginLater(group);
      } else if (configuration !== undefined && !configuration.nodes.has(replica)) {
        // It was removed before it had begun.
        void node.remove(group).catch(() => undefined);
      }
    }
    if (all.every(({ node }) => node.isFounding(group)) && this.#isStuck(group)) {
      void this.#again(group, newId);
    }
  }

  #isStuck(group: GroupId): boolean {
    return this.#all(group).some(({ node }) => {
      return (node.host?.founding(group)?.complaints.length ?? 0) > 0;
    });
  }

  /** Nobody has the group, and with these disks nobody ever will: all begin under new ids. */
  async #again(group: GroupId, newId: () => ReplicaId): Promise<void> {
    const before = this.#all(group);
    const voters = this.#voters.get(group);
    const hosts = before.map(({ node }) => node.host);
    const closed = await Promise.all(hosts.map(async (host) => host?.close(group)));
    const isSame = before.every(
      ({ node }, i) => closed[i] === true && node.host === hosts[i] && !node.hasGroup(group),
    );
    // Whoever crashed or began meanwhile: the others are made to wait again by the next look.
    if (!isSame || this.#voters.get(group) !== voters) return;
    this.#sim.note("op", `group ${group} is begun anew`);
    this.#sim.invariants(group).beginAnew();
    const renewed = new Map(before.map(({ node }) => [newId(), node.name]));
    this.#voters.set(group, renewed);
    this.#lost.delete(group);
    for (const { node, replica } of this.#all(group)) {
      node.assignments.set(group, { replica, voters: renewed });
      node.beginLater(group);
    }
  }

  #all(group: GroupId): { readonly node: SimNode; readonly replica: ReplicaId }[] {
    return Array.from(this.#voters.get(group) ?? [], ([replica, name]) => {
      return { node: this.#sim.node(name) as SimNode, replica };
    });
  }
}
