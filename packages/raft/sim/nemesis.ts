/** Makes trouble, as much and of the kinds that the plan of the seed says. */
import type { ReplicaId } from "../src/core/types.ts";
import type { GroupStatus } from "../src/host/port.ts";
import type { GroupId } from "../src/storage/port.ts";
import type { Dice } from "./dice.ts";
import type { SimNode } from "./node.ts";
import type { Fault, Moment } from "./plan.ts";
import type { Simulation } from "./simulation.ts";

export class Nemesis {
  readonly counts = new Map<Fault, number>();
  readonly #sim: Simulation;
  readonly #dice: Dice;
  /** Disk operations of a node until it crashes in one. */
  readonly #fuses = new Map<SimNode, number>();
  #ended = false;

  constructor(sim: Simulation, dice: Dice) {
    this.#sim = sim;
    this.#dice = dice;
    if (sim.plan.faults.size > 0) this.#next();
  }

  /** Everything is made well again. */
  heal(): void {
    const { nodes, network } = this.#sim;
    this.#ended = true;
    this.#fuses.clear();
    network.heal();
    for (const node of nodes) {
      Object.assign(node.disk.trouble, {
        writeError: 0,
        syncError: 0,
        capacity: Number.POSITIVE_INFINITY,
        slowness: 1,
        stalledUntil: 0,
      });
      node.life?.resume();
      if (!node.up) node.boot();
    }
  }

  onDiskOperation(node: SimNode): void {
    const left = this.#fuses.get(node);
    if (left === undefined) return;
    if (left > 0) {
      this.#fuses.set(node, left - 1);
      return;
    }
    this.#fuses.delete(node);
    this.#count("crashInOperation");
    this.#crash(node);
  }

  /** Something happened at a node, in the middle of an event. */
  onMoment(moment: Moment, node: SimNode): void {
    if (this.#ended || !node.up) return;
    const probability = this.#sim.plan.moments.get(moment);
    if (probability === undefined || !this.#dice.chance(probability)) return;
    if (!this.#dice.chance(moment === "append" || moment === "commit" ? 0.2 : 1)) return;
    const wipes = moment === "founding" && this.#sim.plan.voters >= 3;
    const last = wipes ? "wipe" : "crash";
    const what = this.#dice.pick([last, "crash", "isolateLeader", "pause"] as const);
    if (what === "wipe") return this.#wipe(node);
    this.#sim.note(node.name, `${what} upon ${moment}`);
    this.#count(what);
    if (what === "crash") this.#crash(node);
    else if (what === "pause") this.#pause(node);
    else this.#isolate(node);
  }

  #next(): void {
    this.#sim.scheduler.after(this.#dice.exponential(this.#sim.plan.faultEvery), "fault", () => {
      if (this.#ended) return;
      this.#next();
      this.#strike(this.#choose());
    });
  }

  #choose(): Fault {
    const { faults } = this.#sim.plan;
    let total = 0;
    for (const weight of faults.values()) total += weight;
    let left = this.#dice.next() * total;
    for (const [fault, weight] of faults) {
      left -= weight;
      if (left <= 0) return fault;
    }
    return "crash";
  }

  #strike(fault: Fault): void {
    const { nodes } = this.#sim;
    const up = nodes.filter((node) => node.up);
    const leader = this.#sim.leaderOf(this.#dice.between(0, this.#sim.plan.groups - 1))?.node;
    const any = up.length > 0 ? this.#dice.pick(up) : undefined;
    const target = fault.endsWith("Leader") || fault === "diverge" ? leader : any;
    if (target === undefined) return;
    if (fault !== "crashInOperation" && fault !== "wipe") this.#count(fault);
    switch (fault) {
      case "crash":
      case "crashLeader":
        return this.#crash(target);
      case "crashInOperation":
        this.#fuses.set(target, this.#dice.between(0, 12));
        return;
      case "crashAll":
        for (const node of up) this.#crash(node);
        return;
      case "pause":
      case "pauseLeader":
        return this.#pause(target);
      case "diverge":
        return this.#diverge(target);
      case "partition":
        return this.#partition();
      case "oneWay":
        return this.#oneWay(target);
      case "isolateLeader":
        return this.#isolate(target);
      case "slowLink":
        return this.#slowLink(target);
      case "wipe":
        return this.#wipe(target);
      default:
        return this.#spoil(fault, target);
    }
  }

  #crash(node: SimNode): void {
    node.crash();
    this.#sim.restartLater(node, this.#lasts());
  }

  #pause(node: SimNode): void {
    const { life } = node;
    if (life === undefined || life.paused) return;
    this.#sim.note(node.name, "stands still");
    life.pause();
    this.#later(() => {
      this.#sim.note(node.name, "goes on");
      life.resume();
    });
  }

  #partition(): void {
    const side = new Map(this.#sim.nodes.map((node) => [node, this.#dice.chance(0.5)]));
    this.#cut((from, to) => side.get(from) !== side.get(to));
  }

  #oneWay(target: SimNode): void {
    const other = this.#dice.pick(this.#sim.nodes);
    const whim = this.#dice.between(0, 2);
    this.#cut((from, to) => {
      if (whim === 0) return from === target;
      return whim === 1 ? to === target : from === target && to === other;
    });
  }

  #isolate(target: SimNode): void {
    this.#cut((from, to) => from === target || to === target);
  }

  #cut(is: (from: SimNode, to: SimNode) => boolean): void {
    const { nodes, network } = this.#sim;
    const links: [string, string][] = [];
    for (const from of nodes) {
      for (const to of nodes) if (from !== to && is(from, to)) links.push([from.name, to.name]);
    }
    this.#sim.note("net", `cut ${links.map((link) => link.join(">")).join(" ")}`);
    for (const [from, to] of links) network.cut(from, to, true);
    this.#later(() => {
      this.#sim.note("net", `joined ${links.map((link) => link.join(">")).join(" ")}`);
      for (const [from, to] of links) network.cut(from, to, false);
    });
  }

  /** A leader takes commands that nobody else sees: its log goes a way of its own. */
  #diverge(leader: SimNode): void {
    this.#isolate(leader);
    this.#sim.burst(leader, this.#dice);
    if (this.#dice.chance(0.5)) {
      this.#sim.scheduler.after(this.#dice.exponential(15), "crash of who stands alone", () => {
        if (!this.#ended && leader.up) this.#crash(leader);
      });
    }
  }

  #slowLink(target: SimNode): void {
    const other = this.#dice.pick(this.#sim.nodes);
    const { network } = this.#sim;
    network.slow(target.name, other.name, this.#dice.scale(5, 200));
    this.#later(() => network.slow(target.name, other.name, 1));
  }

  #spoil(fault: Fault, { disk, name }: SimNode): void {
    const { trouble } = disk;
    this.#sim.note(name, fault);
    if (fault === "slowDisk") trouble.slowness = this.#dice.scale(5, 100);
    else if (fault === "stalledDisk")
      trouble.stalledUntil = this.#sim.scheduler.now + this.#lasts();
    else if (fault === "fullDisk") trouble.capacity = disk.used + this.#dice.between(0, 1500);
    else {
      trouble.writeError = this.#dice.chance(0.7) ? this.#dice.scale(0.02, 1) : 0;
      trouble.syncError = this.#dice.chance(0.7) ? this.#dice.scale(0.02, 1) : 0;
    }
    this.#later(() => {
      this.#sim.note(name, `no ${fault} any more`);
      if (fault === "slowDisk") trouble.slowness = 1;
      else if (fault === "fullDisk") trouble.capacity = Number.POSITIVE_INFINITY;
      else if (fault === "diskErrors") Object.assign(trouble, { writeError: 0, syncError: 0 });
    });
  }

  /** Only where all its groups can afford it: what a majority loses is lost. */
  #wipe(node: SimNode): void {
    const sim = this.#sim;
    const lost: string[] = [];
    for (const [group, { replica }] of node.assignments) {
      const found = sim.leaderOf(group);
      if (found === undefined && !sim.operator.founders.mayLose(group)) return;
      if (found === undefined) {
        lost.push(`${group}/${replica}`);
        continue;
      }
      const { configuration, applied } = found.status;
      const { voters, outgoing } = configuration;
      if (outgoing.length > 0 || (voters.includes(replica) && voters.length < 3)) return;
      if (sim.operator.wiped(configuration).length > 0) return;
      if (!this.#isSettled(group, replica, found.status)) return;
      if (sim.changing(group, applied) || sim.operator.isBusy(group)) return;
      lost.push(`${group}/${replica}`);
    }
    for (const one of lost) sim.lostDisk.add(one);
    for (const group of node.assignments.keys()) sim.operator.founders.lose(group);
    this.#count("wipe");
    node.wipe();
    sim.restartLater(node, this.#lasts());
  }

  /** Who would be back in an earlier configuration after a restart may need one that is gone already. */
  #isSettled(group: GroupId, replica: ReplicaId, status: GroupStatus): boolean {
    const change = this.#sim.invariants(group).changeBefore(status.applied);
    return [...status.configuration.nodes].every(([id, { name, disk }]) => {
      const node = this.#sim.node(name);
      // Of one that is wiped, or will be, nothing is left; one without anything is in no configuration.
      if (id === replica || node?.diskId !== disk) return true;
      const shadow = node?.shadow(group, id);
      if (shadow === undefined) return true;
      const { hardState, log } = shadow.durable;
      const settled = Math.max(hardState.commit, log.base);
      return settled === 0 || settled >= change;
    });
  }

  #count(fault: Fault): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }

  #lasts(): number {
    return this.#dice.exponential(this.#sim.plan.faultLasts);
  }

  #later(act: () => void): void {
    this.#sim.scheduler.after(this.#lasts(), "trouble ends", () => {
      if (!this.#ended) act();
    });
  }
}
