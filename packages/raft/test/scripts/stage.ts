// The commands of the scripts, described in testdata/README.md.
import type { CoreOptions, MemberChange, Message, Proposed } from "../../src/index.ts";
import { Cluster } from "../cluster/cluster.ts";
import { configurationOf, EMPTY, Replica } from "../cluster/replica.ts";
import * as describe from "./describe.ts";

const MOST_DELIVERIES = 2000;

export class Stage {
  #cluster = new Cluster([]);
  readonly #options: Partial<CoreOptions> = {};
  /** Ways on which everything is lost, as `from>to`. */
  readonly #cut = new Set<string>();
  /** Trace of the command that runs. */
  #trace: string[] = [];

  run(line: string): readonly string[] {
    this.#trace = [];
    const [command = "", ...words] = line.split(" ");
    this.#do(command, words);
    return this.#trace;
  }

  #do(command: string, words: readonly string[]): void {
    const ids = words.map(Number);
    const [id = 0, other = 0] = ids;
    switch (command) {
      case "options":
        for (const word of words) Object.assign(this.#options, optionOf(word));
        return;
      case "add-nodes":
        this.#addNodes(id, words.includes("learner") ? 1 : 0);
        return;
      case "add-empty":
        this.#cluster.add(new Replica(id, { ...EMPTY, ...configurationOf([]) }, this.#options));
        return;
      case "campaign":
        return this.#at(id, (replica) => replica.core.campaign());
      case "elect":
        return this.#elect(id);
      case "tick":
        return this.#tick(words[0] === "all" ? this.#ids() : [id], other || 1);
      case "propose":
        return this.#at(id, ({ core }) => {
          this.#proposed(core.propose(words.slice(1).map((word) => Buffer.from(word))));
        });
      case "change":
        return this.#at(id, ({ core }) => {
          this.#proposed(core.proposeConfiguration({ changes: words.slice(1).map(changeOf) }));
        });
      case "transfer":
        return this.#at(id, ({ core }) => this.#proposed(core.transferLeadership(other)));
      case "read":
        return this.#at(id, ({ core }) => {
          if (!core.readIndex(other)) this.#say(`${id} refuses the read`);
        });
      default:
        this.#doElsewhere(command, words, ids);
    }
  }

  /** What is done to disks and network, and looking at it. */
  #doElsewhere(command: string, words: readonly string[], ids: readonly number[]): void {
    const [id = 0, other = 0] = ids;
    const replica = this.#cluster.replicas.get(id);
    switch (command) {
      case "deliver":
        return this.#deliver(words);
      case "lose":
        return this.#lose(words);
      case "drop":
        this.#cut.add(`${id}>${other}`).add(`${other}>${id}`);
        return;
      case "drop-one-way":
        this.#cut.add(`${id}>${other}`);
        return;
      case "isolate":
        for (const to of this.#ids()) this.#cut.add(`${id}>${to}`).add(`${to}>${id}`);
        return;
      case "heal":
        this.#cut.clear();
        return;
      case "crash":
        replica?.crash();
        return;
      case "restart":
        replica?.restart();
        return this.#pump();
      case "disk":
        if (replica !== undefined) replica.fastDisk = words[1] === "fast";
        return;
      case "write":
        if (replica !== undefined) this.#sent(replica.writeOne());
        return this.#pump();
      case "compact":
        return replica?.compact(other);
      case "unreachable":
        return this.#at(id, ({ core }) => core.reportUnreachable(other));
      case "report-snapshot":
        return this.#at(id, ({ core }) => core.reportSnapshot(other, words[2] === "ok"));
      case "log":
        return this.#log(this.#cluster.at(id));
      case "status":
        return this.#status(words.length === 0 ? this.#ids() : ids);
      case "progress":
        return this.#progress(this.#cluster.at(id));
      case "applied":
        return this.#say(`${id} applied ${this.#cluster.at(id).commands.join(" ")}`);
      default:
        throw new Error(`there is no command “${command}”`);
    }
  }

  #say(text: string): void {
    this.#trace.push(text);
  }

  #ids(): readonly number[] {
    return [...this.#cluster.replicas.keys()];
  }

  #addNodes(voters: number, learners: number): void {
    const ids = Array.from({ length: voters + learners }, (_, i) => i + 1);
    this.#cluster = new Cluster(ids.slice(0, voters), this.#options, ids.slice(voters));
  }

  #at(id: number, action: (replica: Replica) => void): void {
    action(this.#cluster.at(id));
    this.#pump();
  }

  /** The stories that begin with a leader do not tell how it came to be. */
  #elect(id: number): void {
    this.#at(id, (replica) => replica.core.campaign());
    this.#deliver(["all"]);
    this.#trace = [];
    this.#status([id]);
  }

  #proposed(proposed: Proposed): void {
    if (proposed.ok) return;
    this.#say(`refused: ${proposed.reason}${proposed.message ? `, ${proposed.message}` : ""}`);
  }

  #tick(ids: readonly number[], count: number): void {
    for (let i = 0; i < count; i++) {
      for (const id of ids) {
        const replica = this.#cluster.at(id);
        if (replica.up) replica.core.tick();
      }
      this.#pump();
    }
  }

  /** Does what the cores want done, and tells of it. */
  #pump(): void {
    for (const replica of this.#cluster.replicas.values()) {
      if (!replica.up) continue;
      const before = stateOf(replica);
      const applied = replica.applied.length;
      this.#sent(replica.pump());
      const after = stateOf(replica);
      if (after !== before || this.#shown.get(replica.id) !== after) this.#say(after);
      this.#shown.set(replica.id, after);
      const news = replica.applied.slice(Math.min(applied, replica.applied.length));
      if (news.length > 0) this.#say(`${replica.id} applies ${news.map(describe.entry).join(" ")}`);
      for (const read of replica.reads.splice(0)) {
        this.#say(`${replica.id} may read ${read.context} at ${read.index}`);
      }
    }
  }

  readonly #shown = new Map<number, string>();

  #sent(messages: readonly Message[]): void {
    for (const message of messages) {
      const lost = this.#cut.has(`${message.from}>${message.to}`);
      this.#say(`${describe.message(message)}${lost ? " ✗" : ""}`);
      if (!lost) this.#cluster.network.push(message);
    }
  }

  /** All, until nothing is on its way; or one round; or those to, from or of a type. */
  #deliver(words: readonly string[]): void {
    const network = (): Message[] => this.#cluster.network;
    const [what = "all", value = ""] = words;
    if (what === "all") {
      for (let i = 0; i < MOST_DELIVERIES && network().length > 0; i++) {
        this.#arrive(network().shift() as Message);
      }
      return;
    }
    for (const message of this.#take(what, value)) this.#arrive(message);
  }

  #lose(words: readonly string[]): void {
    const [what = "all", value = ""] = words;
    for (const message of this.#take(what, value)) this.#say(`lost: ${describe.message(message)}`);
  }

  #take(what: string, value: string): Message[] {
    const chosen = (message: Message): boolean => {
      if (what === "to") return message.to === Number(value);
      if (what === "from") return message.from === Number(value);
      return what === "round" || what === "all" || message.type === what;
    };
    const taken = this.#cluster.network.filter(chosen);
    this.#cluster.network = this.#cluster.network.filter((message) => !chosen(message));
    return taken;
  }

  #arrive(message: Message): void {
    const to = this.#cluster.replicas.get(message.to);
    if (to?.up !== true) return;
    to.core.step(message);
    this.#pump();
  }

  #log(replica: Replica): void {
    const { core, disk, id } = replica;
    const terms: string[] = [];
    for (let i = core.firstIndex; i <= core.lastIndex; i++) terms.push(`${i}@${core.termAt(i)}`);
    const onDisk = disk.entries.at(-1);
    const durable = onDisk === undefined ? disk.prevIndex : onDisk.index;
    this.#say(`${id} log ${terms.join(" ")}; commit ${core.commit}, on disk to ${durable}`);
  }

  #status(ids: readonly number[]): void {
    for (const id of ids) {
      const { up, core } = this.#cluster.at(id);
      const where = `commit ${core.commit} last ${core.lastIndex}@${core.lastTerm}`;
      const state = up ? stateOf(this.#cluster.at(id)) : `${id} is down`;
      this.#say(`${state}; ${where}; ${describe.configuration(core.configuration)}`);
    }
  }

  #progress(replica: Replica): void {
    for (const [id, p] of replica.core.progress()) {
      const active = p.recentlyActive ? "" : ", silent";
      this.#say(`${id} ${p.state} match ${p.match} next ${p.next} inflight ${p.inflight}${active}`);
    }
  }
}

function stateOf({ id, core }: Replica): string {
  const { vote } = core.hardState;
  return `${id} is ${core.role} t${core.term} vote ${vote || "-"} leader ${core.leader || "-"}`;
}

function optionOf(word: string): Partial<CoreOptions> {
  const [name = "", value] = word.split("=");
  return { [name]: Number(value) };
}

function changeOf(word: string): MemberChange {
  const [type = "", number] = word.split("-");
  const id = Number(number);
  switch (type) {
    case "addVoter":
    case "addLearner":
      return { type, id, node: `n${id}`, disk: id };
    case "promote":
    case "demote":
    case "remove":
      return { type, id };
    default:
      throw new Error(`there is no change “${word}”`);
  }
}
