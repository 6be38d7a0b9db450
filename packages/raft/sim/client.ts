/** One client of a group: commands in sequence, some in flight at once, repeated until it knows. */
import type { Answer } from "../src/host/port.ts";
import type { GroupId } from "../src/storage/port.ts";
import { encodeCommand, type Operation } from "./commands.ts";
import type { Dice } from "./dice.ts";
import type { Recorded } from "./history.ts";
import type { OpenGroup, SimNode } from "./node.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

interface Proposal {
  /** 0 without an origin. */
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly recorded: Recorded<number>;
  /** Of the newest try; an older one may still be answered. */
  attempt: number;
}

export class Client {
  readonly id: number;
  readonly group: GroupId;
  readonly #sim: Simulation;
  readonly #dice: Dice;
  #sequence = 0;
  /** The highest that was answered as applied. */
  #known = 0;
  readonly #open = new Map<number, Proposal>();
  #anonymous = 0;
  #reading = 0;
  /** Answers that may still come; none does from a process that has ended. */
  #outstanding = new Map<number, SimNode>();
  #calls = 0;
  #leader: SimNode | undefined;
  #ending = false;

  constructor(id: number, group: GroupId, sim: Simulation, dice: Dice) {
    this.id = id;
    this.group = group;
    this.#sim = sim;
    this.#dice = dice;
    this.#next();
  }

  /** Nothing that it asked for is unknown. */
  get settled(): boolean {
    return this.#open.size === 0 && this.#reading === 0;
  }

  /** The calls to a process that has ended are never answered. */
  onCrash(node: SimNode): void {
    for (const [call, at] of this.#outstanding) if (at === node) this.#outstanding.delete(call);
  }

  toString(): string {
    const calls = [...this.#outstanding].map(([call, node]) => `${call}@${node.name}`).join(" ");
    return `client ${this.id} of g${this.group}${this.#ending ? " ending" : ""} [${calls}]`;
  }

  #next(): void {
    const { clients } = this.#sim.plan;
    this.#sim.scheduler.after(this.#dice.exponential(clients.think), "client", () => this.#act());
  }

  #act(): void {
    const { plan, quiet } = this.#sim;
    if (quiet) return;
    if (this.#ending) {
      this.#end();
      return;
    }
    this.#next();
    if (this.#dice.chance(plan.clients.reads)) {
      if (this.#reading < 2) this.#read();
    } else if (this.#open.size < plan.clients.depth) {
      this.#propose();
    }
    if (this.#sequence > 0 && this.#dice.chance(plan.clients.ends)) this.#ending = true;
  }

  #propose(): void {
    const sim = this.#sim;
    const { clients } = sim.plan;
    const key = this.#dice.between(1, clients.keys);
    const value = sim.nextValue();
    const kind = this.#dice.pick(["write", "cas", "append", "append"] as const);
    const from = sim.recentValue(this.#dice);
    const operation: Operation = kind === "cas" ? { kind, key, from, value } : { kind, key, value };
    const anonymous = this.#dice.chance(clients.anonymous);
    const sequence = anonymous ? 0 : ++this.#sequence;
    const command = { client: this.id, sequence, operation };
    const padding = this.#dice.chance(0.5) ? clients.padding : 0;
    const recorded =
      operation.kind === "append"
        ? sim.history.append(this.group, key, value)
        : sim.history.register(this.group, key, operation);
    const proposal = { sequence, bytes: encodeCommand(command, padding), recorded, attempt: 0 };
    this.#open.set(anonymous ? --this.#anonymous : sequence, proposal);
    this.#try(proposal);
  }

  /** Proposes it now at whom it takes for the leader. */
  #try(proposal: Proposal): void {
    const attempt = ++proposal.attempt;
    const { sequence } = proposal;
    const known = this.#known;
    const patience = this.#sim.plan.clients.patience * this.#dice.real(0.5, 2);
    this.#call(
      ({ handle }) => {
        const origin = sequence > 0 ? { client: this.id, sequence } : undefined;
        return handle.propose(proposal.bytes, origin);
      },
      (answer, node) => {
        if (answer.type === "gap" && answer.last < known) {
          const detail = `client ${this.id}: ${answer.last}, and ${known} was answered before`;
          throw new Violation("a gap is never below what was answered", detail);
        }
        this.#answered(proposal, answer, node, attempt);
      },
      () => this.#again(proposal, attempt, 10),
    );
    // No answer: one without an origin is given up, the others are asked for again elsewhere.
    this.#sim.scheduler.after(patience, "client is impatient", () => {
      if (!this.#isOpen(proposal) || proposal.attempt !== attempt) return;
      if (sequence === 0) this.#close(proposal);
      else this.#try(proposal);
    });
  }

  #again(proposal: Proposal, attempt: number, ms: number): void {
    this.#sim.scheduler.after(this.#dice.exponential(ms), "client tries again", () => {
      if (this.#isOpen(proposal) && proposal.attempt === attempt) this.#try(proposal);
    });
  }

  #answered(proposal: Proposal, answer: Answer, node: SimNode, attempt: number): void {
    const { sequence, recorded } = proposal;
    if (!this.#isOpen(proposal)) return;
    switch (answer.type) {
      case "committed":
        this.#leader = node;
        recorded.end(answer.result as number);
        this.#close(proposal);
        return;
      case "repeated":
        recorded.end(undefined);
        this.#close(proposal);
        return;
      case "gap":
        // One before it did not arrive: that one is asked for first, in its own time.
        this.#again(proposal, attempt, 20);
        return;
      case "indeterminate":
        if (sequence === 0) this.#close(proposal);
        else this.#again(proposal, attempt, 10);
        return;
      case "notLeader":
        this.#leader = answer.node === undefined ? undefined : this.#sim.node(answer.node);
        this.#again(proposal, attempt, answer.node === undefined ? 30 : 2);
        return;
      case "overloaded":
      case "unavailable":
        this.#leader = undefined;
        this.#again(proposal, attempt, 20);
    }
  }

  #isOpen(proposal: Proposal): boolean {
    return [...this.#open.values()].includes(proposal);
  }

  #close(proposal: Proposal): void {
    if (proposal.sequence > this.#known) this.#known = proposal.sequence;
    for (const [key, open] of this.#open) if (open === proposal) this.#open.delete(key);
  }

  #read(): void {
    const sim = this.#sim;
    const key = this.#dice.between(1, sim.plan.clients.keys);
    const list = this.#dice.chance(0.5);
    const called = sim.history.now();
    const invariants = sim.invariants(this.group);
    const committed = invariants.maxCommit;
    let done = false;
    this.#reading++;
    const end = (): void => {
      if (!done) this.#reading--;
      done = true;
    };
    if (this.#dice.chance(0.6)) this.#leader = this.#dice.pick(sim.nodes);
    this.#call(
      async ({ handle, machine }) => {
        const answer = await handle.read();
        return { answer, machine };
      },
      ({ answer, machine }, node) => {
        if (done || answer.type !== "ready") {
          if (answer.type === "notLeader") this.#leader = undefined;
          end();
          return;
        }
        end();
        const applied = node.applied(this.group);
        if (answer.index < committed || applied < answer.index) {
          const detail = `index ${answer.index}, applied ${applied}, committed before ${committed}`;
          throw new Violation("a read sees what was committed before", `${node.name}: ${detail}`);
        }
        sim.reads[this.group] = (sim.reads[this.group] ?? 0) + 1;
        if (list) sim.history.list(this.group, key, called, [...machine.list(key)]);
        else sim.history.read(this.group, key, called, machine.register(key));
      },
      end,
      false,
    );
    sim.scheduler.after(sim.plan.clients.patience * 2, "client gives up a read", end);
  }

  /** It has every answer: no later than now does its place in the table end. */
  #end(): void {
    if (!this.settled || this.#outstanding.size > 0) {
      this.#next();
      return;
    }
    let ended = false;
    const again = (): void => {
      if (!ended) this.#next();
      ended = true;
    };
    this.#call(
      ({ handle }) => handle.endClient(this.id),
      (answer) => {
        if (!ended && answer.type === "committed") {
          ended = true;
          this.#sim.replaceClient(this);
        } else {
          if (answer.type === "notLeader") this.#leader = undefined;
          again();
        }
      },
      again,
    );
    this.#sim.scheduler.after(this.#sim.plan.clients.patience, "client gives up its end", again);
  }

  /** Does something at a node; `lost` if that can't even be begun. Crashes leave it without an answer. */
  #call<T>(
    act: (group: OpenGroup) => Promise<T>,
    then: (value: T, node: SimNode) => void,
    lost: () => void,
    isCommand = true,
  ): void {
    const sim = this.#sim;
    const node = this.#leader ?? this.#dice.pick(sim.nodes);
    const { life } = node;
    if (life === undefined || !node.groups.has(this.group)) {
      this.#leader = undefined;
      sim.scheduler.after(1, "client finds nobody", lost);
      return;
    }
    const call = ++this.#calls;
    // A read that is answered late does no harm.
    if (isCommand) this.#outstanding.set(call, node);
    life.receive(`client ${this.id}`, "client", () => {
      const group = node.groups.get(this.group);
      if (group === undefined) {
        this.#outstanding.delete(call);
        lost();
        return;
      }
      act(group).then(
        (value) => {
          this.#outstanding.delete(call);
          if (life.alive) sim.guard(() => then(value, node));
        },
        (error: unknown) => sim.report(error),
      );
    });
  }
}
