/**
 * One replica of one group: what happens to its core is put into effect here. Everything of a turn
 * is gathered, then pump() takes what the core has to say, and apply() what is committed.
 */
import type { RaftCore } from "../core/port.ts";
import {
  type Configuration,
  type Entry,
  type Message,
  type Ready,
  type ReplicaId,
  type SnapshotMeta,
  type Term,
} from "../core/types.ts";
import type { DiskId, GroupId, SnapshotReader } from "../storage/port.ts";
import type { Beat, NodeName, SnapshotIntake, SnapshotOffer } from "../transport/port.ts";
import { Applier } from "./applier.ts";
import { greetLeader, removedBeat, sayHello } from "./beats.ts";
import { encodeCommand, encodeEndClient } from "./command.ts";
import { Farewell } from "./farewell.ts";
import { Installer } from "./installer.ts";
import { Intakes, nothingToTake } from "./intake.ts";
import { Leadership, successor } from "./leadership.ts";
import { IDLE_HEARTBEATS, PATIENCE } from "./limits.ts";
import type { ReplicatedMachine } from "./machine.ts";
import { Membership, wasRemoved } from "./membership.ts";
import type { Peers } from "./peers.ts";
import type {
  Answer,
  GroupOptions,
  GroupStatus,
  MembersAnswer,
  Origin,
  RaftGroup,
  ReadAnswer,
  RequestedChange,
} from "./port.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { Replies } from "./replies.ts";
import type { SnapshotSending } from "./sender.ts";
import { Sleep } from "./sleep.ts";
import { Snapshotter } from "./snapshotter.ts";
import { groupStatus } from "./status.ts";
import type { Surroundings } from "./surroundings.ts";

export interface GroupParts {
  readonly core: RaftCore;
  readonly machine: ReplicatedMachine;
  readonly peers: Peers;
}

const LOST_ENTRIES: string =
  "the leader knows entries of this replica that are not on its disk any more: " +
  "remove it and add it under a new id";

type Unavailable = Extract<Answer, { type: "unavailable" }>;

export class Group implements RaftGroup, SnapshotSending {
  readonly id: GroupId;
  /** Those that it counts on while it sleeps; the host's. */
  sleepsWith: readonly NodeName[] = [];
  readonly #around: Surroundings;
  readonly #core: RaftCore;
  readonly #peers: Peers;
  readonly #replies: Replies;
  readonly #leadership: Leadership;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  readonly #membership: Membership;
  readonly #applier: Applier;
  readonly #snapshotter: Snapshotter;
  readonly #installer: Installer;
  readonly #intakes: Intakes;
  readonly #sleep: Sleep;
  /** Why it does not run any more. */
  #ended: string | undefined;
  #writing = 0;
  readonly #farewell: Farewell;

  constructor(around: Surroundings, options: GroupOptions, parts: GroupParts) {
    const { core, machine, peers } = parts;
    const { electionTicks, heartbeatTicks, maxProposals, random, storage } = around.options;
    this.id = options.group;
    this.#around = around;
    this.#core = core;
    this.#peers = peers;
    this.#replies = new Replies(core, peers);
    const proposals = new Proposals(around.options);
    const reads = new Reads(maxProposals, random);
    const membership = new Membership({
      core,
      refused: (reason, message) => this.#replies.refusedChange(reason, message),
      diskOf: (node) => around.diskOf(node),
      unavailable: () => this.#refusesWrites(),
      proposed: () => around.touch(this),
    });
    this.#proposals = proposals;
    this.#reads = reads;
    this.#membership = membership;
    const { listener } = options;
    this.#leadership = new Leadership({ core, peers, proposals, membership, reads, listener });
    this.#applier = new Applier({
      core,
      machine,
      proposals,
      onConfiguration: (entry, configuration) => this.#onConfiguration(entry, configuration),
    });
    const running = () => this.running;
    const steady = () => running() && !this.#installer.busy;
    const snapshotter = new Snapshotter({ group: this.id, core, machine, steady }, around);
    this.#snapshotter = snapshotter;
    const { id: group } = this;
    const applier = this.#applier;
    this.#installer = new Installer(
      { group, core, machine, applier, proposals, snapshotter, running },
      around,
    );
    this.#intakes = new Intakes(storage.snapshots, (offer) => this.#received(offer));
    this.#farewell = new Farewell(electionTicks);
    this.#sleep = new Sleep(Math.max(IDLE_HEARTBEATS * heartbeatTicks, electionTicks));
  }

  // What the service asks.

  get status(): GroupStatus {
    return groupStatus(this.id, this.#core, this.#peers, this.#sleep.asleep);
  }

  propose(command: Uint8Array, origin?: Origin): Promise<Answer> {
    return this.#propose(() => encodeCommand(command, origin));
  }

  endClient(client: number): Promise<Answer> {
    return this.#propose(() => encodeEndClient(client));
  }

  read(): Promise<ReadAnswer> {
    if (this.#ended !== undefined) return Promise.resolve(this.#unavailable());
    this.#stir();
    this.#around.touch(this);
    return this.#reads.add(this.#around.ticks);
  }

  changeMembers(changes: readonly RequestedChange[]): Promise<MembersAnswer> {
    const unavailable = this.#refusesWrites();
    if (unavailable !== undefined) return Promise.resolve(unavailable);
    return this.#members(() => this.#membership.change(changes));
  }

  transferLeadership(to: ReplicaId): Promise<MembersAnswer> {
    if (this.#ended !== undefined) return Promise.resolve(this.#unavailable());
    const endsAt = this.#around.ticks + PATIENCE * this.#around.options.electionTicks;
    return this.#members(() => this.#membership.transfer(to, endsAt));
  }

  #propose(encode: () => Uint8Array): Promise<Answer> {
    const unavailable = this.#refusesWrites();
    if (unavailable !== undefined) return Promise.resolve(unavailable);
    this.#stir();
    if (this.#core.role !== "leader") return Promise.resolve(this.#replies.notLeader());
    this.#around.touch(this);
    return this.#proposals.add(encode());
  }

  #members(begin: () => Promise<MembersAnswer>): Promise<MembersAnswer> {
    this.#stir();
    this.#around.touch(this);
    return begin();
  }

  #refusesWrites(): Unavailable | undefined {
    if (this.#ended !== undefined) return this.#unavailable();
    const { diskFailure } = this.#around;
    if (diskFailure === undefined) return undefined;
    return { type: "unavailable", message: `the disk fails: ${diskFailure.message}` };
  }

  #unavailable(): Unavailable {
    return { type: "unavailable", message: this.#ended ?? "the group does not run" };
  }

  // What the host tells.

  get running(): boolean {
    return this.#ended === undefined;
  }

  /** Its only voter need not wait for anybody. */
  begin(): void {
    const { voters, outgoing } = this.#core.configuration;
    const alone = voters.length === 1 && voters[0] === this.#core.id && outgoing.length === 0;
    this.#guarded(() => {
      this.#peers.checkOwn();
      if (alone) this.#core.campaign();
    });
    sayHello(this.#around.outbox, this.id, this.#core);
    this.#farewell.look(this.#core, this.#around.ticks);
    this.#around.touch(this);
  }

  receive(from: NodeName, disk: DiskId, message: Message): void {
    if (!this.#admits(from, disk, message)) return;
    const asksForVote = message.type === "vote" || message.type === "preVote";
    if (asksForVote && wasRemoved(this.#core.configuration, message.from)) {
      if (!this.#core.isConfigurationDurable) return;
      this.#around.outbox.beat(from, removedBeat(this.id, this.#core, message.from));
      this.#around.touch(this);
      return;
    }
    this.#stir(message.from);
    this.#step(message);
  }

  receiveBeat(from: NodeName, disk: DiskId, beat: Beat): void {
    if (!this.#admits(from, disk, beat)) return;
    const { from: sender, to, term, commit, context } = beat;
    if (beat.kind === 3) {
      this.#farewell.told(sender, this.#around.ticks);
      this.#stir();
      if (this.#farewell.isOver(this.#core, this.#around.ticks)) this.#wasRemoved();
      return;
    }
    const isAnswer = beat.kind === 1 || beat.kind === 4;
    if (beat.kind < 2) this.wake(sender);
    if (isAnswer) this.#step({ type: "heartbeatAnswer", from: sender, to, term, context });
    else if (commit > this.#core.lastIndex) this.#fail(new Error(LOST_ENTRIES));
    else this.#step({ type: "heartbeat", from: sender, to, term, commit, context });
    if (beat.kind === 2) this.#askedToSleep(beat);
    if (beat.kind === 4 && this.#sleep.answered(this.#core, sender, this.#nothingWaits())) {
      this.#fellAsleep();
    }
  }

  receiveSnapshot(from: NodeName, disk: DiskId, offer: SnapshotOffer): Promise<SnapshotIntake> {
    if (!this.#admits(from, disk, offer)) return Promise.reject(new Error("not for this replica"));
    if (offer.term < this.#core.term) return Promise.reject(new Error("of an earlier term"));
    this.#stir(offer.from);
    // It has all of that: the core answers so.
    if (offer.meta.index <= this.#core.commit)
      return Promise.resolve(nothingToTake(offer, () => this.#received(offer)));
    return this.#intakes.open(offer);
  }

  /** A first voter that has not begun yet is told that the others have. */
  receiveFounding(from: NodeName, disk: DiskId, replica: ReplicaId): void {
    const { nodes: members } = this.#core.configuration;
    if (!this.running || members.size === 0) return;
    this.#peers.admit(replica, from, disk);
    this.#around.outbox.hello(from, { type: "founded", group: this.id, members });
    this.#around.touch(this);
  }

  unreachable(node: NodeName): void {
    if (!this.running) return;
    for (const [id, at] of this.#core.configuration.nodes) {
      if (at.name === node && id !== this.#core.id) this.#lost(id);
    }
  }

  /** What was sent to this replica did not leave. */
  dropped(to: ReplicaId): void {
    if (this.running) this.#guarded(() => this.#core.reportUnreachable(to));
  }

  tick(): void {
    if (!this.running || this.#sleep.asleep) return;
    const { ticks, options } = this.#around;
    this.#guarded(() => this.#core.tick());
    if (this.#reads.age(ticks) > options.electionTicks) this.#reads.retry();
    this.#reads.expire(ticks - PATIENCE * options.electionTicks);
    this.#around.touch(this);
    for (const question of this.#farewell.questions(this.#core, ticks)) this.#send(question);
    if (this.#farewell.isOver(this.#core, ticks)) this.#wasRemoved();
    else if (this.#sleep.tick(this.#core, this.#nothingWaits())) this.#fellAsleep();
  }

  /** The disk has failed for so long that nobody should wait for it any more. */
  giveUpWaiting(): void {
    this.#proposals.endPending();
    this.#membership.endAll({ type: "indeterminate" });
    this.#reads.endAll({ type: "unavailable", message: "the disk fails" });
    if (this.running && this.#core.role === "leader") this.#handOver();
  }

  /** `by`: the replica whose word does it. */
  wake(by?: ReplicaId): void {
    if (this.#sleep.asleep) this.#stir(by);
  }

  /** Everything that waits is answered; nothing runs any more when it settles. */
  async end(why: string): Promise<void> {
    this.#stop(why);
    await Promise.all([this.#snapshotter.end(), this.#installer.end(), this.#intakes.close()]);
  }

  // What the core has to say.

  pump(): void {
    this.#guarded(() => {
      this.#peers.checkOwn();
      this.#observe();
      this.#proposals.submit(this.#core, (reason) => this.#replies.refused(reason));
      this.#reads.submit(this.#core, this.#around.ticks, () => this.#replies.notLeader());
      for (let ready = this.#core.ready(); ready; ready = this.#core.ready()) this.#take(ready);
      this.#observe();
    });
  }

  /** True if something is left to be applied. */
  apply(late: () => boolean): boolean {
    if (!this.running || !this.#applier.ready) {
      this.#reads.applied(this.#core.applied);
      return false;
    }
    this.#guarded(() => {
      this.#snapshotter.grew(this.#applier.slice(late));
      this.#observe();
    });
    this.#reads.applied(this.#core.applied);
    this.#around.touch(this);
    return this.running && this.#applier.ready;
  }

  #take(ready: Ready): void {
    const { write, hardState, entries, snapshot, messages, afterWrite, committed, reads } = ready;
    if (snapshot !== undefined) this.#installer.announce();
    if (write > 0) {
      this.#writing++;
      const done = () => this.#written(write, afterWrite, snapshot);
      this.#around.write({ group: this.id, hardState, entries, snapshot }, done);
    }
    for (const message of messages) this.#send(message);
    if (write === 0) for (const message of afterWrite) this.#send(message);
    this.#applier.push(committed);
    if (reads.length > 0) this.#reads.confirmed(reads);
  }

  #written(
    write: number,
    afterWrite: readonly Message[],
    snapshot: SnapshotMeta | undefined,
  ): void {
    if (!this.running) return;
    this.#writing--;
    this.#guarded(() => this.#core.written(write));
    for (const message of afterWrite) this.#send(message);
    this.#around.touch(this);
    if (snapshot === undefined) return;
    this.#installer.install(snapshot).then(
      () => {
        this.#around.sender.membersChanged(this);
        this.#around.touch(this);
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #send(message: Message): void {
    const { outbox, sender } = this.#around;
    const node = this.#peers.nodeOf(message.to);
    if (node === undefined) return;
    if (message.type === "snapshot") {
      sender.send(this, node, message);
      return;
    }
    const asleep = message.type === "heartbeat" ? this.#sleep.drowsy : this.#sleep.asleep;
    outbox.add(node, this.id, message, asleep);
  }

  /** Who leads may have changed. */
  #observe(): void {
    this.#leadership.observe();
    this.#membership.observe(this.#around.ticks);
    if (this.#reads.hasQueued) this.#around.touch(this);
  }

  #onConfiguration(entry: Entry, configuration: Configuration): void {
    this.#membership.applied(entry, configuration);
    this.#farewell.look(this.#core, this.#around.ticks);
    this.#around.sender.membersChanged(this);
  }

  // Snapshots.

  leads(term: Term): boolean {
    return this.running && this.#core.role === "leader" && this.#core.term === term;
  }

  hasMember(replica: ReplicaId): boolean {
    return this.running && this.#core.configuration.nodes.has(replica);
  }

  readSnapshot(index: number): Promise<SnapshotReader> {
    return this.#snapshotter.read(index);
  }

  snapshotSent(to: ReplicaId, ok: boolean): void {
    if (!this.running) return;
    this.#stir();
    this.#guarded(() => this.#core.reportSnapshot(to, ok));
    this.#around.touch(this);
  }

  #received({ from, to, term, meta }: SnapshotOffer): void {
    if (this.running) this.#step({ type: "snapshot", from, to, term, snapshot: meta });
  }

  // The rest.

  #admits(from: NodeName, disk: DiskId, message: { from: ReplicaId; to: ReplicaId }): boolean {
    return (
      this.running &&
      message.to === this.#core.id &&
      message.from !== this.#core.id &&
      this.#peers.admit(message.from, from, disk)
    );
  }

  #step(message: Message): void {
    this.#guarded(() => this.#core.step(message));
    this.#around.touch(this);
  }

  /** `by`: the replica whose word does it. The leader, if it is another's, may sleep on. */
  #stir(by?: ReplicaId): void {
    if (!this.#sleep.stir()) return;
    const { outbox } = this.#around;
    this.#around.woke(this);
    if (by !== this.#core.leader) greetLeader(outbox, this.id, this.#core);
    this.#around.touch(this);
  }

  #lost(id: ReplicaId): void {
    this.wake();
    this.#guarded(() => this.#core.reportUnreachable(id));
    this.#around.touch(this);
  }

  #nothingWaits(): boolean {
    return (
      this.#proposals.size === 0 &&
      this.#reads.size === 0 &&
      !this.#membership.busy &&
      this.#applier.idle &&
      this.#writing === 0 &&
      !this.#farewell.begun
    );
  }

  #askedToSleep(beat: Beat): void {
    const was = this.#sleep.asleep;
    const is = this.#sleep.asked(this.#core, beat, this.#nothingWaits());
    if (is && !was) this.#fellAsleep();
    if (was && !is) this.#around.woke(this);
  }

  #fellAsleep(): void {
    const { id, leader } = this.#core;
    const others = leader === id ? [...this.#core.progress().keys()] : [leader];
    this.#around.fellAsleep(this, this.#peers.nodesOf(others));
  }

  /** Its word is not on its disk, so another one does better. */
  #handOver(): void {
    const to = successor(this.#core);
    if (to === undefined) return;
    this.#guarded(() => this.#core.transferLeadership(to));
    this.#around.touch(this);
  }

  #wasRemoved(): void {
    this.#around.options.logger.info({ group: this.id, replica: this.#core.id }, "replica removed");
    this.#stop("this replica was removed from the group");
    this.#around.removed(this);
  }

  #stop(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    this.#around.ended(this, this.#peers.others);
    this.#around.sender.membersChanged(this);
    this.#proposals.endAll(this.#unavailable());
    this.#reads.endAll(this.#unavailable());
    this.#membership.endAll({ type: "indeterminate" });
    this.#leadership.end(why);
  }

  /** What this replica can't do right it does not do at all; the others go on without it. */
  #guarded(work: () => void): void {
    if (!this.running) return;
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.running) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#around.options.logger.error(
      { group: this.id, replica: this.#core.id, applied: this.#core.applied, error: reason },
      "the group stops here: what it has to do can't be done",
    );
    this.#stop(`the group has failed here: ${reason}`);
  }
}
