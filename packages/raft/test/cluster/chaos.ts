// Random things happen to a cluster; the same seed makes the same things happen.
import { pick, type Random, randomBool, randomInt, seededRandom } from "@canopy/base";
import type { CoreOptions, MemberChange, Message } from "../../src/index.ts";
import { Cluster } from "./cluster.ts";
import { Invariants } from "./invariants.ts";
import { configurationOf, EMPTY, Replica } from "./replica.ts";

const SMALL: Partial<CoreOptions> = {
  electionTicks: 5,
  maxAppendBytes: 100,
  maxInflightAppends: 3,
  maxInflightBytes: 200,
  maxUncommittedBytes: 400,
  maxApplyingBytes: 60,
};
const MOST_REPLICAS = 8;

export class Chaos {
  readonly cluster: Cluster;
  readonly #random: Random;
  readonly #invariants = new Invariants();
  readonly #reads = new Map<string, number>();
  #commands = 0;
  #contexts = 0;
  /** Which ways between two replicas are cut. */
  readonly #cuts = new Set<string>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const size = pick(this.#random, [1, 2, 3, 3, 3, 4, 5]);
    const voters = Array.from({ length: size }, (_, i) => i + 1);
    this.cluster = new Cluster(voters, SMALL);
    for (const replica of this.cluster.replicas.values()) this.#slow(replica);
  }

  step(): void {
    const replica = this.#any();
    const dice = randomInt(this.#random, 100);
    if (dice < 45) this.#deliver();
    else if (dice < 60) this.#tick(replica);
    else if (dice < 74) this.#write(replica);
    else if (dice < 82) this.#apply(replica);
    else if (dice < 90) this.#propose(replica);
    else this.#rare(replica);
  }

  /** Everything arrives and every disk writes: then the cluster has to get on. */
  heal(): void {
    const { cluster } = this;
    this.#cuts.clear();
    for (const replica of cluster.replicas.values()) {
      if (!replica.up) this.#restart(replica);
      replica.fastDisk = replica.fastApply = true;
      cluster.send(replica.writeAll());
      replica.applyAll();
    }
    for (const message of cluster.network.splice(0)) {
      if (message.type === "snapshot") this.#report(message, false);
    }
    cluster.settle();
    for (let i = 0; i < 200 && !this.#isWell(); i++) {
      cluster.tick();
      const [leader] = cluster.leaders;
      if (i % 20 === 19 && leader !== undefined) cluster.propose(leader, `healed ${i}`);
    }
    for (const replica of cluster.replicas.values()) this.#look(replica);
    if (!this.#isWell()) throw new Error("no progress after everything was healed");
  }

  #isWell(): boolean {
    const [leader, ...more] = this.cluster.leaders;
    if (leader === undefined || more.length > 0) return false;
    const { core } = this.cluster.at(leader);
    const { configuration } = core;
    if (core.commit < core.lastIndex || configuration.outgoing.length > 0) return false;
    return [...configuration.voters, ...configuration.learners].every(
      (id) => this.cluster.at(id).core.applied === core.applied,
    );
  }

  #any(): Replica {
    return pick(this.#random, [...this.cluster.replicas.values()]);
  }

  #slow(replica: Replica): void {
    replica.fastDisk = randomBool(this.#random, 0.3);
    replica.fastApply = randomBool(this.#random, 0.3);
  }

  #look(replica: Replica): void {
    if (!replica.up) return;
    const sent = replica.pump();
    this.#send(sent);
    this.#invariants.check(replica, this.cluster.replicas);
    for (const { context, index } of replica.reads.splice(0)) {
      const least = this.#reads.get(`${replica.id}:${context}`);
      if (least !== undefined && index < least) throw new Error(`read ${context} is stale`);
    }
  }

  #send(messages: readonly Message[]): void {
    this.#invariants.sent(messages);
    for (const message of messages) {
      const cut = this.#cuts.has(`${message.from}>${message.to}`);
      if (!cut && randomBool(this.#random, 0.95)) this.cluster.network.push(message);
      else if (message.type === "snapshot") this.#report(message, false);
    }
  }

  #report(message: Message, ok: boolean): void {
    this.cluster.replicas.get(message.from)?.core.reportSnapshot(message.to, ok);
  }

  #deliver(): void {
    const { network } = this.cluster;
    if (network.length === 0) return;
    // Mostly in order.
    const at = randomBool(this.#random, 0.8) ? 0 : randomInt(this.#random, network.length);
    const message = network[at] as Message;
    if (!randomBool(this.#random, 0.05)) network.splice(at, 1);
    const to = this.cluster.replicas.get(message.to);
    if (message.type === "snapshot") this.#report(message, to?.up === true);
    if (to?.up !== true) return;
    to.core.step(message);
    this.#look(to);
  }

  #tick(replica: Replica): void {
    if (!replica.up) return;
    replica.core.tick();
    this.#look(replica);
  }

  #write(replica: Replica): void {
    if (!replica.up || replica.disk.pending.length === 0) return;
    this.#send(replica.writeOne());
    this.#look(replica);
  }

  #apply(replica: Replica): void {
    if (!replica.up || replica.toApply.length === 0) return;
    replica.applyOne();
    this.#look(replica);
  }

  #propose(replica: Replica): void {
    if (!replica.up) return;
    const count = 1 + randomInt(this.#random, 3);
    const commands = Array.from({ length: count }, () => Buffer.from(`c${this.#commands++}`));
    replica.core.propose(commands);
    this.#look(replica);
  }

  #restart(replica: Replica): void {
    replica.restart();
    this.#invariants.restarted(replica);
    this.#slow(replica);
  }

  #rare(replica: Replica): void {
    const kind = randomInt(this.#random, 9);
    if (!replica.up) {
      if (kind < 5) this.#restart(replica);
      return;
    }
    if (kind === 0) replica.crash();
    else if (kind === 1) this.#read(replica);
    else if (kind === 2) replica.core.transferLeadership(this.#any().id);
    else if (kind === 3) this.#change(replica);
    else if (kind === 4) this.#compact(replica);
    else if (kind === 5) this.#cut();
    else if (kind === 6) replica.core.reportUnreachable(this.#any().id);
    else if (kind === 7) replica.core.campaign();
    else this.#slow(replica);
    this.#look(replica);
  }

  #read(replica: Replica): void {
    const context = ++this.#contexts;
    const least = this.#invariants.highestCommit;
    if (replica.core.readIndex(context)) this.#reads.set(`${replica.id}:${context}`, least);
  }

  /** The state machine can only be asked for what it has, and not while it gets a snapshot. */
  #compact(replica: Replica): void {
    if (replica.disk.pending.some((ready) => ready.snapshot !== undefined)) return;
    replica.applyAll();
    replica.compact(randomInt(this.#random, 4));
  }

  #cut(): void {
    if (randomBool(this.#random)) this.#cuts.clear();
    else this.#cuts.add(`${this.#any().id}>${this.#any().id}`);
  }

  #change(replica: Replica): void {
    const { cluster } = this;
    const { configuration } = replica.core;
    const id = cluster.replicas.size + 1;
    const changes: MemberChange[] = [];
    if (randomBool(this.#random) && id <= MOST_REPLICAS) {
      const type = pick(this.#random, ["addVoter", "addLearner"] as const);
      changes.push({ type, id, node: `n${id}`, disk: id });
    }
    const other = this.#any().id;
    const kinds = ["promote", "demote", "remove"] as const;
    if (changes.length === 0 || randomBool(this.#random)) {
      changes.push({ type: pick(this.#random, kinds), id: other });
    }
    const leaves = configuration.outgoing.length > 0;
    const proposed = replica.core.proposeConfiguration({ changes: leaves ? [] : changes });
    if (!proposed.ok || !changes.some((change) => change.id === id)) return;
    // It begins with nothing, and learns from the log or a snapshot who the members are.
    const newcomer = new Replica(id, { ...EMPTY, ...configurationOf([]) }, SMALL);
    this.#slow(cluster.add(newcomer));
  }
}
