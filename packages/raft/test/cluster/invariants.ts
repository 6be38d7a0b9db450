// What must hold at every moment, whatever happens to the replicas and between them.
import type { Configuration, Entry, Message } from "../../src/index.ts";
import type { Replica } from "./replica.ts";

/** Figure 3, and what durability means. Throws at the first violation. */
export class Invariants {
  readonly #leaders = new Map<number, number>();
  readonly #votes = new Map<string, number>();
  /** By index and term: the one entry there can be, and the term before it. */
  readonly #entries = new Map<string, { entry: Entry; prevTerm: number | undefined }>();
  /** By index: the term of what was committed there. */
  readonly #committed = new Map<number, number>();
  readonly #applied = new Map<number, Entry>();
  readonly #commitOf = new Map<number, number>();
  readonly #termOf = new Map<number, number>();
  readonly #handed = new Map<number, number>();
  readonly #configurationOf = new Map<number, Configuration>();
  highestCommit = 0;

  sent(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === "voteAnswer" && message.granted) {
        this.#voted(message.from, message.term, message.to);
      }
      if (message.type === "vote") this.#voted(message.from, message.term, message.from);
    }
  }

  restarted(replica: Replica): void {
    this.#commitOf.delete(replica.id);
    this.#handed.delete(replica.id);
    // A term that was not on the disk was not shown to anybody who counts on it.
    this.#termOf.set(replica.id, replica.core.term);
    this.#configurationOf.set(replica.id, replica.core.configuration);
  }

  /** After each step, with all replicas, for the one to which it happened. */
  check(replica: Replica, all: ReadonlyMap<number, Replica>): void {
    const { core, id } = replica;
    this.#checkTerm(replica);
    this.#checkEntries(replica);
    const before = this.#commitOf.get(id) ?? 0;
    ensure(core.commit >= before, `commit of ${id} went back`);
    for (let index = before + 1; index <= core.commit; index++) {
      const term = core.termAt(index);
      if (term === undefined) continue;
      const known = this.#committed.get(index);
      ensure(known === undefined || known === term, `${index} was committed with two terms`);
      if (known === undefined) this.#checkQuorum(replica, index, all);
      this.#committed.set(index, term);
    }
    this.#commitOf.set(id, core.commit);
    this.#configurationOf.set(id, core.configuration);
    this.highestCommit = Math.max(this.highestCommit, core.commit);
    if (core.role === "leader") this.#checkLeader(replica);
    for (const entry of replica.applied) this.#checkApplied(entry);
  }

  #checkTerm(replica: Replica): void {
    const { id, core } = replica;
    ensure(core.term >= (this.#termOf.get(id) ?? 0), `term of ${id} went back`);
    this.#termOf.set(id, core.term);
  }

  /** Log matching, by induction: what is written has always the same before it. */
  #checkEntries(replica: Replica): void {
    for (const ready of replica.readies.splice(0)) {
      for (const [i, entry] of ready.entries.entries()) {
        const prevTerm = i > 0 ? ready.entries[i - 1]?.term : replica.core.termAt(entry.index - 1);
        const key = `${entry.index}:${entry.term}`;
        const known = this.#entries.get(key);
        ensure(known === undefined || known.entry === entry, `two entries ${key}`);
        const same = known?.prevTerm === undefined || known.prevTerm === prevTerm;
        ensure(same || prevTerm === undefined, `different entries before ${key}`);
        if (known === undefined) this.#entries.set(key, { entry, prevTerm });
      }
      this.#checkHandedOut(replica, ready.committed);
    }
  }

  #checkHandedOut(replica: Replica, committed: readonly Entry[]): void {
    for (const entry of committed) {
      const before = this.#handed.get(replica.id);
      const follows = before === undefined || entry.index === before + 1;
      // Behind a snapshot it goes on where that ends.
      ensure(follows || entry.index > before, `${replica.id} was handed ${entry.index} twice`);
      ensure(follows || replica.core.firstIndex > before, `${replica.id} missed an entry`);
      ensure(replica.disk.has(entry.index, entry.term), "handed out before it was on the disk");
      this.#handed.set(replica.id, entry.index);
    }
  }

  #checkLeader(replica: Replica): void {
    const { core, id } = replica;
    const known = this.#leaders.get(core.term);
    ensure(known === undefined || known === id, `two leaders in term ${core.term}`);
    if (known !== undefined) return;
    this.#leaders.set(core.term, id);
    for (const [index, term] of this.#committed) {
      const here = core.termAt(index);
      const gone = here === undefined && index < core.firstIndex;
      ensure(gone || here === term, `leader ${id} of term ${core.term} lacks ${index}`);
    }
  }

  /** Committed means: on the disks of a quorum. It may be what changed the configuration. */
  #checkQuorum(replica: Replica, index: number, all: ReadonlyMap<number, Replica>): void {
    const { core } = replica;
    const term = core.termAt(index) ?? 0;
    const durable = (id: number) => all.get(id)?.disk.has(index, term) === true;
    const before = this.#configurationOf.get(replica.id) ?? core.configuration;
    const enough = hasQuorum(before, durable) || hasQuorum(core.configuration, durable);
    ensure(enough, `${index} was committed without a quorum`);
  }

  #checkApplied(entry: Entry): void {
    const known = this.#applied.get(entry.index);
    ensure(known === undefined || known === entry, `two entries applied at ${entry.index}`);
    this.#applied.set(entry.index, entry);
  }

  #voted(id: number, term: number, candidate: number): void {
    const key = `${id}:${term}`;
    const before = this.#votes.get(key);
    ensure(before === undefined || before === candidate, `${id} voted twice in term ${term}`);
    this.#votes.set(key, candidate);
  }
}

function ensure(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message);
}

function hasQuorum(configuration: Configuration, has: (id: number) => boolean): boolean {
  return [configuration.voters, configuration.outgoing].every(
    (voters) => voters.length === 0 || voters.filter(has).length > voters.length / 2,
  );
}
