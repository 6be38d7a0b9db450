/** Who adds, promotes, demotes, replaces and removes replicas, and moves leadership. */
import type { Configuration, Member, ReplicaId } from "../src/core/types.ts";
import type { GroupStatus, MembersAnswer, RequestedChange } from "../src/host/port.ts";
import type { GroupId } from "../src/storage/port.ts";
import type { Dice } from "./dice.ts";
import { Founders } from "./founders.ts";
import type { SimNode } from "./node.ts";
import type { Simulation } from "./simulation.ts";

export class Operator {
  readonly #sim: Simulation;
  readonly #dice: Dice;
  /** Never given twice, also where the change came to nothing. */
  readonly #nextId = new Map<GroupId, ReplicaId>();
  /** Which change is under way. */
  readonly #busy = new Map<GroupId, number>();
  #tokens = 0;
  /** Nothing is begun. */
  idle = false;
  readonly counts = { changes: 0, refused: 0, transfers: 0 };
  readonly founders: Founders;

  constructor(sim: Simulation, dice: Dice) {
    this.#sim = sim;
    this.#dice = dice;
    const { changeEvery, transferEvery } = sim.plan;
    if (changeEvery < Number.POSITIVE_INFINITY) this.#every(changeEvery, () => this.#change());
    if (transferEvery < Number.POSITIVE_INFINITY)
      this.#every(transferEvery, () => this.#transfer());
    this.founders = new Founders(sim);
    this.#every(100, () => {
      for (let group = 0; group < sim.plan.groups; group++) {
        this.founders.look(group, () => this.newId(group, sim.plan.voters));
      }
    });
    // Whoever lost its disk is replaced, always.
    this.#every(100, () => this.#replaceImpostors());
  }

  /** Replicas that are to be replaced: their disk was wiped. */
  wiped(configuration: Configuration): readonly ReplicaId[] {
    const { nodes } = configuration;
    const isLost = ([, { name, disk }]: [ReplicaId, Member]): boolean =>
      this.#sim.node(name)?.diskId !== disk;
    return [...nodes].filter(isLost).map(([id]) => id);
  }

  isBusy(group: GroupId): boolean {
    return this.#busy.has(group);
  }

  /** Settles with the answer, or when nobody waits for one any more. */
  async change(group: GroupId, change: RequestedChange): Promise<void> {
    const leader = this.#leader(group);
    if (leader !== undefined) await this.#perform(leader.node, group, [change]);
  }

  /** Begins any change. */
  changeAny(group: GroupId): void {
    this.#change(group);
  }

  #every(mean: number, act: () => void): void {
    this.#sim.scheduler.after(this.#dice.exponential(mean), "operator", () => {
      this.#every(mean, act);
      if (!this.idle) act();
    });
  }

  /** Whoever has just become leader is asked for a change at once, now and then. */
  onElected(group: GroupId): void {
    if (this.#sim.plan.changeEvery === Number.POSITIVE_INFINITY || !this.#dice.chance(0.3)) return;
    this.#sim.scheduler.after(this.#dice.exponential(3), "operator", () => {
      if (!this.idle) this.#change(group);
    });
  }

  #transfer(): void {
    if (this.#sim.quiet) return;
    const found = this.#leader(this.#dice.between(0, this.#sim.plan.groups - 1));
    if (found === undefined) return;
    const { node, status } = found;
    const to = this.#dice.pick(status.configuration.voters);
    this.counts.transfers++;
    this.#sim.note("op", `group ${status.group}: transfer from ${node.name} to replica ${to}`);
    this.#ask(node, status.group, (handle) => handle.transferLeadership(to)).catch(() => undefined);
  }

  #change(group = this.#dice.between(0, this.#sim.plan.groups - 1)): void {
    if (this.#sim.quiet) return;
    const found = this.#leader(group);
    if (found === undefined || (this.#busy.has(group) && !this.#dice.chance(0.3))) return;
    const { configuration } = found.status;
    if (this.wiped(configuration).length > 0) return;
    const kind = this.#dice.pick([
      "learner",
      "voter",
      "promote",
      "demote",
      "remove",
      "swap",
      "mix",
    ]);
    const changes = this.#changes(kind, found.status);
    if (changes.length > 0) void this.#perform(found.node, group, changes);
  }

  #changes(kind: string, { group, configuration }: GroupStatus): RequestedChange[] {
    const { voters, learners } = configuration;
    const free = this.#sim.nodes.filter((node) => node.isFree(group));
    const id = (): ReplicaId => this.newId(group, configuration.highest);
    const few = voters.length <= 1;
    const [voter, learner] = [this.#dice.pick(voters), learners[0]];
    const place = free.length > 0 ? this.#dice.pick(free).name : undefined;
    switch (kind) {
      case "learner":
        return place === undefined ? [] : [{ type: "addLearner", id: id(), node: place }];
      case "voter":
        return place === undefined ? [] : [{ type: "addVoter", id: id(), node: place }];
      case "promote":
        return learner === undefined ? [] : [{ type: "promote", id: learner }];
      case "demote":
        return few ? [] : [{ type: "demote", id: voter }];
      case "remove":
        return few && learner === undefined
          ? []
          : [{ type: "remove", id: few ? (learner as ReplicaId) : voter }];
      case "swap":
        return place === undefined
          ? []
          : [
              { type: "addVoter", id: id(), node: place },
              { type: "remove", id: voter },
            ];
      default:
        return learner === undefined
          ? []
          : [
              { type: "promote", id: learner },
              { type: this.#dice.chance(0.5) ? "demote" : "remove", id: voter },
            ];
    }
  }

  #replaceImpostors(): void {
    for (let group = 0; group < this.#sim.plan.groups; group++) {
      const found = this.#leader(group);
      if (found === undefined || this.#busy.has(group)) continue;
      const { configuration } = found.status;
      const [lost] = this.wiped(configuration);
      if (lost === undefined || configuration.outgoing.length > 0) continue;
      void this.#replace(found.node, group, lost, configuration);
    }
  }

  async #replace(
    leader: SimNode,
    group: GroupId,
    lost: ReplicaId,
    configuration: Configuration,
  ): Promise<void> {
    const where = this.#sim.node(configuration.nodes.get(lost)?.name ?? "");
    // Who gives it up will ask for the change itself.
    if (where?.isLeaving(group)) return;
    const isBack = where?.groups.has(group) || where?.isFounding(group);
    if (!isBack && where?.assignments.has(group)) return;
    if (where !== undefined && where.up && where.assignments.get(group)?.replica === lost) {
      // Whoever came back without its disk is stopped before it is replaced.
      await where.remove(group).catch(() => undefined);
    }
    const changes: RequestedChange[] = [{ type: "remove", id: lost }];
    const free = this.#sim.nodes.filter((node) => node.isFree(group));
    if (configuration.voters.includes(lost) && free.length > 0) {
      const id = this.newId(group, configuration.highest);
      changes.push({ type: "addVoter", id, node: this.#dice.pick(free).name });
    }
    if (leader.up) await this.#perform(leader, group, changes);
  }

  async #perform(
    node: SimNode,
    group: GroupId,
    changes: readonly RequestedChange[],
  ): Promise<void> {
    const sim = this.#sim;
    const token = ++this.#tokens;
    this.#busy.set(group, token);
    const isOpen = (): boolean => this.#busy.get(group) === token;
    const end = (): void => {
      if (isOpen()) this.#busy.delete(group);
    };
    // A crash may swallow the answer.
    sim.scheduler.after(800, "operator is impatient", end);
    sim.note("op", `group ${group} at ${node.name}: ${JSON.stringify(changes)}`);
    this.counts.changes++;
    const added = changes.filter((change) => "node" in change);
    try {
      for (const { id, node: at } of added) {
        await sim.node(at)?.open(group, { replica: id, voters: new Map() });
      }
      const answer = await this.#ask(node, group, (handle) => {
        // A node that stood still must not do long after what nobody remembers.
        if (isOpen()) {
          sim.scheduler.after(this.#dice.exponential(2), "change", () => {
            sim.nemesis.onMoment("change", node);
          });
          return handle.changeMembers(changes);
        }
        return Promise.resolve({ type: "refused", message: "too late" });
      });
      sim.note("op", `group ${group}: ${answer.type === "refused" ? answer.message : answer.type}`);
      if (answer.type !== "done" && answer.type !== "indeterminate") {
        this.counts.refused++;
        // Nothing of it is in the log, and nothing will be.
        for (const { node: at } of added) await sim.node(at)?.remove(group);
      }
    } catch {
      // The node went down, or has no such group any more: what came of it is seen later.
    } finally {
      end();
    }
  }

  #ask(
    node: SimNode,
    group: GroupId,
    act: (
      handle: NonNullable<ReturnType<SimNode["groups"]["get"]>>["handle"],
    ) => Promise<MembersAnswer>,
  ): Promise<MembersAnswer> {
    return new Promise((resolve, reject) => {
      const { life } = node;
      if (life === undefined) {
        reject(new Error("the node is down"));
        return;
      }
      life.receive("operator", "operator", () => {
        const open = node.groups.get(group);
        if (open === undefined) reject(new Error("no such group"));
        else act(open.handle).then(resolve, reject);
      });
    });
  }

  newId(group: GroupId, highest: ReplicaId): ReplicaId {
    const id = Math.max(this.#nextId.get(group) ?? 0, highest + 1);
    this.#nextId.set(group, id + 1);
    return id;
  }

  #leader(group: GroupId): { node: SimNode; status: GroupStatus } | undefined {
    return this.#sim.leaderOf(group);
  }
}
