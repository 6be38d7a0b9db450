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
import type { GroupId, SnapshotReader } from "../storage/port.ts";
import type { NodeName, SnapshotOffer } from "../transport/port.ts";
import { Applier } from "./applier.ts";
import { sayHello } from "./beats.ts";
import { Farewell } from "./farewell.ts";
import { GroupHandle } from "./handle.ts";
import { Installer } from "./installer.ts";
import { Intakes } from "./intake.ts";
import { Leadership, successor } from "./leadership.ts";
import { PATIENCE } from "./limits.ts";
import type { ReplicatedMachine } from "./machine.ts";
import { Membership } from "./membership.ts";
import type { Peers } from "./peers.ts";
import type { GroupOptions } from "./port.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import { Reception } from "./reception.ts";
import { Replies } from "./replies.ts";
import { Rest } from "./rest.ts";
import type { SnapshotSending } from "./sender.ts";
import { Snapshotter } from "./snapshotter.ts";
import type { Surroundings } from "./surroundings.ts";

export interface GroupParts {
  readonly core: RaftCore;
  readonly machine: ReplicatedMachine;
  readonly peers: Peers;
}

export class Group implements SnapshotSending {
  readonly id: GroupId;
  /** The service's. */
  readonly handle: GroupHandle;
  /** For what other nodes say. */
  readonly reception: Reception;
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
  readonly #rest: Rest;
  readonly #farewell: Farewell;
  /** Why it does not run any more. */
  #ended: string | undefined;
  #writing = 0;

  constructor(around: Surroundings, options: GroupOptions, parts: GroupParts) {
    const { core, machine, peers } = parts;
    const { electionTicks, maxProposals, random, storage } = around.options;
    const { group, listener } = options;
    const running = () => this.running;
    const touch = () => around.touch(this);
    const replies = new Replies(core, peers);
    const proposals = new Proposals(around.options);
    const reads = new Reads(maxProposals, random);
    const membership = new Membership({
      core,
      refused: (reason, message) => replies.refusedChange(reason, message),
      diskOf: (node) => around.diskOf(node),
      unavailable: () => this.handle.refusesWrites(),
      proposed: touch,
    });
    const applier = new Applier({
      core,
      machine,
      proposals,
      onConfiguration: (entry, configuration) => this.#onConfiguration(entry, configuration),
    });
    const steady = () => running() && !this.#installer.busy;
    const snapshotter = new Snapshotter({ group, core, machine, steady }, around);
    const installing = { group, core, machine, applier, proposals, snapshotter, running };
    const received = (offer: SnapshotOffer) => this.#received(offer);
    const intakes = new Intakes(storage.snapshots, received);
    const farewell = new Farewell(electionTicks);
    const nothingWaits = () => this.#nothingWaits();
    const rest = new Rest({ group: this, core, peers, nothingWaits }, around);
    this.id = group;
    this.#around = around;
    this.#core = core;
    this.#peers = peers;
    this.#replies = replies;
    this.#proposals = proposals;
    this.#reads = reads;
    this.#membership = membership;
    this.#leadership = new Leadership({ core, peers, proposals, membership, reads, listener });
    this.#applier = applier;
    this.#snapshotter = snapshotter;
    this.#installer = new Installer(installing, around);
    this.#intakes = intakes;
    this.#farewell = farewell;
    this.#rest = rest;
    const asked = { core, peers, replies, proposals, reads, membership, touch };
    const asleep = () => rest.asleep;
    const ended = () => this.#ended;
    const stir = () => rest.stir();
    this.handle = new GroupHandle(group, { ...asked, asleep, ended, stir }, around);
    const told = { group, core, peers, rest, farewell, intakes, running, touch, received };
    const step = (message: Message) => this.#step(message);
    const wasRemoved = () => this.#wasRemoved();
    const fail = (error: Error) => this.#fail(error);
    this.reception = new Reception({ ...told, step, wasRemoved, fail }, around);
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
    if (!this.running || this.#rest.asleep) return;
    const { ticks, options } = this.#around;
    this.#guarded(() => this.#core.tick());
    if (this.#reads.age(ticks) > options.electionTicks) this.#reads.retry();
    this.#reads.expire(ticks - PATIENCE * options.electionTicks);
    this.#around.touch(this);
    for (const question of this.#farewell.questions(this.#core, ticks)) this.#send(question);
    if (this.#farewell.isOver(this.#core, ticks)) this.#wasRemoved();
    else this.#rest.tick();
  }

  /** The disk has failed for so long that nobody should wait for it any more. */
  giveUpWaiting(): void {
    this.#proposals.endPending();
    this.#membership.endAll({ type: "indeterminate" });
    this.#reads.endAll({ type: "unavailable", message: "the disk fails" });
    if (this.running && this.#core.role === "leader") this.#handOver();
  }

  wake(): void {
    this.#rest.wake();
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
    const asleep = message.type === "heartbeat" ? this.#rest.drowsy : this.#rest.asleep;
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
    this.#rest.stir();
    this.#guarded(() => this.#core.reportSnapshot(to, ok));
    this.#around.touch(this);
  }

  #received({ from, to, term, meta }: SnapshotOffer): void {
    if (this.running) this.#step({ type: "snapshot", from, to, term, snapshot: meta });
  }

  // The rest.

  #step(message: Message): void {
    this.#guarded(() => this.#core.step(message));
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
    const unavailable = { type: "unavailable", message: why } as const;
    this.#proposals.endAll(unavailable);
    this.#reads.endAll(unavailable);
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
