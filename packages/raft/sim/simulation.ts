/** One seed's run: the nodes, what happens to them, and what is looked at after each event. */
import { EntryKind, type LogIndex, type SnapshotMeta } from "../src/core/types.ts";
import type { GroupStatus } from "../src/host/port.ts";
import type { GroupId } from "../src/storage/port.ts";
import type { Batch, NodeName } from "../src/transport/port.ts";
import { Client } from "./client.ts";
import { type Command, encodeCommand } from "./commands.ts";
import { describeBatch } from "./describe.ts";
import { Dice } from "./dice.ts";
import { History } from "./history.ts";
import { GroupInvariants } from "./invariants/group.ts";
import type { Journal } from "./journal.ts";
import type { ApplyObserver } from "./machine.ts";
import { Nemesis } from "./nemesis.ts";
import { SimNetwork } from "./network.ts";
import { SimNode } from "./node.ts";
import { Operator } from "./operator.ts";
import type { Moment, Plan } from "./plan.ts";
import { Scheduler } from "./scheduler.ts";
import { Violation } from "./violation.ts";

/** Of the writes that a storage calls durable, those after which a restart is tried on a copy. */
const PLATTER_CHECKS = 0.004;
const STEPS = 200;
/** The list that bursts append to. */
const BURST = 99;

export class Simulation {
  readonly plan: Plan;
  readonly journal: Journal;
  readonly scheduler = new Scheduler();
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly history = new History();
  readonly operator: Operator;
  readonly nemesis: Nemesis;
  /** Replicas (group/id) whose disk was wiped. */
  readonly lostDisk = new Set<string>();
  readonly counts = { events: 0, snapshots: 0, installs: 0, restarts: 0, platters: 0 };
  /** Reads that were answered, per group. */
  readonly reads: number[] = [];
  failure: Violation | undefined;
  /** Clients and operators ask for nothing new. */
  quiet = false;
  /** Nobody starts a node. */
  down = false;
  readonly #dice: Dice;
  readonly #groups: GroupInvariants[] = [];
  readonly #byName = new Map<NodeName, SimNode>();
  readonly #touched = new Set<SimNode>();
  #clients: Client[] = [];
  #clientIds = 0;
  #values = 0;
  #platter: SimNode | undefined;
  #checking = false;

  constructor(plan: Plan, journal: Journal) {
    this.plan = plan;
    this.journal = journal;
    this.#dice = new Dice(plan.seed).split("run");
    this.network = new SimNetwork(
      this.scheduler,
      this.#dice.split("network"),
      { ...plan.network },
      this,
    );
    for (let i = 0; i < plan.nodes; i++) {
      const node = new SimNode(`n${i + 1}`, this, this.#dice.split(`node ${i}`));
      this.nodes.push(node);
      this.#byName.set(node.name, node);
    }
    for (let group = 0; group < plan.groups; group++) this.#addGroup(group);
    this.operator = new Operator(this, this.#dice.split("operator"));
    this.nemesis = new Nemesis(this, this.#dice.split("nemesis"));
    for (const node of this.nodes) this.restartLater(node, this.#dice.exponential(5));
    for (let i = 0; i < plan.clients.count; i++) this.#addClient(i % plan.groups);
  }

  get clients(): readonly Client[] {
    return this.#clients;
  }

  invariants(group: GroupId): GroupInvariants {
    return this.#groups[group] as GroupInvariants;
  }

  /** From here on, what was before in the group does not count: an operator recovers what is left of it. */
  forget(group: GroupId): void {
    this.#groups[group] = new GroupInvariants(group, true);
  }

  node(name: NodeName): SimNode | undefined {
    return this.#byName.get(name);
  }

  note(who: string, what: string): void {
    this.journal.write(this.scheduler.now, who, what);
  }

  /** The first is what the run ends with. */
  report(error: unknown): void {
    this.failure ??=
      error instanceof Violation
        ? error
        : new Violation("no unexpected errors", String((error as Error).stack ?? error));
  }

  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.report(error);
    }
  }

  touch(node: SimNode): void {
    this.#touched.add(node);
  }

  restartLater(node: SimNode, ms: number): void {
    this.scheduler.after(ms, "start", () => {
      if (!node.up && !this.down) {
        this.counts.restarts++;
        node.boot();
      }
    });
  }

  /** Runs events until `reached` or the time is over; true if it was reached. */
  run(end: number, reached: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      let ended = false;
      const finish = (value: boolean): void => {
        ended = true;
        resolve(value);
      };
      const step = (): void => {
        if (ended || this.#isChecking()) return;
        if (this.failure !== undefined) finish(false);
        else if (reached()) finish(true);
        else if (!this.#event(end)) finish(reached());
      };
      // Node runs everything that was promised between two of these, and looks at the world after all.
      const steps = (): void => {
        if (ended) return;
        for (let i = 0; i < STEPS; i++) setImmediate(step);
        setImmediate(steps);
      };
      steps();
    });
  }

  /** The next event, after a look at what the last one did. False if there is none until `end`. */
  #event(end: number): boolean {
    this.guard(() => this.#look());
    if (this.failure !== undefined) return true;
    if (this.#platter !== undefined) {
      this.#checkPlatter(this.#platter);
      return true;
    }
    const event = this.scheduler.next(end);
    if (event === undefined) {
      this.scheduler.now = Math.max(this.scheduler.now, end);
      return false;
    }
    this.counts.events++;
    this.journal.mark(event.order);
    this.journal.mark(event.time * 1000);
    try {
      event.run?.();
    } catch (error) {
      this.report(error);
    }
    return true;
  }

  /** The node that leads the group in the highest term, as far as it knows itself. */
  leaderOf(group: GroupId): { node: SimNode; status: GroupStatus } | undefined {
    let found: { node: SimNode; status: GroupStatus } | undefined;
    for (const node of this.nodes) {
      const status = node.groups.get(group)?.handle.status;
      if (status?.role !== "leader" || status.term < (found?.status.term ?? 0)) continue;
      found = { node, status };
    }
    return found;
  }

  applyObserver(group: GroupId, who: NodeName): ApplyObserver {
    let previous = 0;
    return {
      onApply: (index, command, bytes, result, digest) => {
        let sum = 0;
        for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
        if (this.journal.reading) {
          const { client, sequence, operation } = command;
          const what = `${operation.kind} ${operation.key} ${operation.value}`;
          this.note(
            who,
            `g${group} applies ${index}: ${what} of ${client}/${sequence} → ${result}`,
          );
        }
        this.guard(() => this.invariants(group).onApply(index, sum, result, digest, previous));
        previous = index;
      },
      onRestore: (index, digest) => {
        this.counts.installs++;
        previous = index;
        this.note(who, `g${group} restores the state after ${index}`);
        this.guard(() => this.invariants(group).onRestore(index, digest));
      },
      onSnapshot: () => undefined,
      onWrong: (violation) => this.report(violation),
    };
  }

  onSnapshot(node: SimNode, group: GroupId, meta: SnapshotMeta, received: boolean): void {
    this.counts.snapshots++;
    const kind = received ? "receives" : "takes";
    this.note(node.name, `g${group} ${kind} snapshot ${meta.index}:${meta.term}`);
    this.invariants(group).onSnapshot(meta);
    this.nemesis.onMoment("snapshot", node);
  }

  onDurable(node: SimNode): void {
    if (this.#dice.chance(PLATTER_CHECKS)) this.#platter = node;
  }

  onDiskOperation(node: SimNode, what: string): void {
    if (this.journal.reading) this.note(node.name, `  disk: ${what}`);
    this.nemesis.onDiskOperation(node);
  }

  onCrash(node: SimNode): void {
    for (const client of this.#clients) client.onCrash(node);
  }

  onSend(from: NodeName, to: NodeName, batch: Batch): void {
    const node = this.node(from) as SimNode;
    if (this.journal.reading) this.note(from, `→ ${to}: ${describeBatch(batch)}`);
    for (const { group, message } of batch.envelopes) {
      this.journal.mark(message.term * 31 + message.type.length);
      const shadow = node.groups.get(group)?.shadow;
      if (shadow !== undefined) this.guard(() => this.invariants(group).onMessage(shadow, message));
      if (message.type === "append" || message.type === "appendAnswer")
        this.#moment("append", node);
      if (message.type === "vote" || message.type === "voteAnswer") this.#moment("vote", node);
    }
  }

  onDeliver(from: NodeName, to: NodeName, batch: Batch): void {
    if (this.journal.reading) this.note(to, `← ${from}: ${describeBatch(batch)}`);
  }

  onEvent(who: NodeName, what: string): void {
    this.note(who, what);
  }

  nextValue(): number {
    return ++this.#values;
  }

  recentValue(dice: Dice): number {
    return Math.max(0, this.#values - dice.between(0, 6));
  }

  /** Commands of nobody in particular, at once, for all groups that the node leads. */
  burst(node: SimNode, dice: Dice): void {
    for (const [group, { handle }] of node.groups) {
      if (handle.status.role !== "leader") continue;
      for (let left = dice.between(1, 6); left > 0; left--) {
        this.#proposeOnce(node, group, this.nextValue(), dice.chance(0.5) ? 0 : 30, 3);
      }
    }
  }

  /** Not taken means not taken: then it is tried elsewhere, and must not be there twice. */
  #proposeOnce(node: SimNode, group: GroupId, value: number, padding: number, tries: number): void {
    const command = { client: 0, sequence: 0, operation: { kind: "append", key: BURST, value } };
    const bytes = encodeCommand(command as Command, padding);
    const recorded = this.history.append(group, BURST, value);
    const again = (left: number): void => {
      this.scheduler.after(30, "burst tries again", () => {
        const leader = this.leaderOf(group)?.node;
        if (leader !== undefined && left > 0) propose(leader, left);
      });
    };
    const propose = (at: SimNode, left: number): void => {
      at.life?.receive("burst", "burst", () => {
        const { life } = at;
        const open = at.groups.get(group);
        if (open === undefined) return;
        void open.handle.propose(bytes).then((answer) => {
          if (!life?.alive) return;
          if (answer.type === "committed") recorded.end(answer.result as number);
          else if (answer.type !== "indeterminate") again(left - 1);
        });
      });
    };
    propose(node, tries);
  }

  replaceClient(client: Client): void {
    this.#clients = this.#clients.filter((other) => other !== client);
    this.#addClient(client.group);
  }

  #moment(moment: Moment, node: SimNode): void {
    this.nemesis.onMoment(moment, node);
  }

  #look(): void {
    for (const node of this.#touched) {
      // What came in this turn is not written yet, so the log is not what the commit index is about.
      if (node.life?.busy) continue;
      this.#touched.delete(node);
      for (const [group, { handle, shadow, ended }] of node.groups) {
        // What the core of an ended group had taken in its last turn is neither written nor said to anybody.
        if (ended.reason !== undefined) continue;
        const invariants = this.invariants(group);
        const { elections, commits, configurations } = invariants.counts;
        const before = shadow.seen?.commit ?? 0;
        const { status } = handle;
        invariants.onSeen(shadow, status);
        if (invariants.counts.elections > elections) {
          this.#moment("elected", node);
          this.operator.onElected(group);
        }
        if (invariants.counts.commits > commits) this.#moment("commit", node);
        if (invariants.counts.configurations > configurations) this.#moment("configuration", node);
        if (this.journal.reading && status.commit > before) {
          this.note(node.name, `g${group} commit ${status.commit} applied ${status.applied}`);
        }
      }
    }
  }

  #checkPlatter(node: SimNode): void {
    this.#platter = undefined;
    if (!node.up) return;
    this.counts.platters++;
    this.#checking = true;
    node
      .checkPlatter()
      .catch((error: unknown) => this.report(error))
      .finally(() => {
        this.#checking = false;
      });
  }

  /** A check of a disk takes one step, as everything that it waits for comes at once. */
  #isChecking(): boolean {
    if (this.#checking)
      this.report(new Error("a start on a disk that answers at once did not end"));
    this.#checking = false;
    return false;
  }

  #addGroup(group: GroupId): void {
    this.#groups.push(new GroupInvariants(group));
    const { nodes, voters } = this.plan;
    const first = this.#dice.between(0, nodes - 1);
    const members = new Map<number, NodeName>();
    for (let i = 0; i < voters; i++) members.set(i + 1, `n${((first + i) % nodes) + 1}`);
    for (const [replica, name] of members) {
      this.node(name)?.assignments.set(group, { replica, voters: members });
    }
  }

  #addClient(group: GroupId): void {
    const id = ++this.#clientIds;
    this.#clients.push(new Client(id, group, this, this.#dice.split(`client ${id}`)));
  }

  /** Of all that ran: for the comparison of two runs. */
  digest(): number {
    for (const node of this.nodes) {
      for (const { machine } of node.groups.values()) this.journal.mark(machine.digest);
    }
    this.journal.mark(this.counts.events);
    return this.journal.hash;
  }

  /** Whether some log has a change of members that could still come in force: it could leave too few. */
  changing(group: GroupId, applied: LogIndex): boolean {
    return this.invariants(group).replicas.some(({ memory: { log } }) => {
      for (let index = Math.max(applied, log.base) + 1; index <= log.last; index++) {
        if (log.at(index)?.kind === EntryKind.Configuration) return true;
      }
      return false;
    });
  }

  appliedEverywhere(group: GroupId): boolean {
    const leader = this.leaderOf(group);
    if (leader === undefined) return false;
    const { configuration, applied, commit, lastIndex } = leader.status;
    if (applied !== commit || commit !== lastIndex || configuration.outgoing.length > 0)
      return false;
    const members = [...configuration.voters, ...configuration.learners];
    return members.every((id) => this.#isAt(group, id, configuration.nodes.get(id)?.name, applied));
  }

  #isAt(group: GroupId, id: number, name: NodeName | undefined, applied: LogIndex): boolean {
    const open = this.node(name ?? "")?.groups.get(group);
    return open?.handle.status.replica === id && open.handle.status.applied === applied;
  }
}
