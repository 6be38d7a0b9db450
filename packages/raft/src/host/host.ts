/** Many groups in one process: one clock, one turn, one batch for each other node. */
import { unreachable } from "@canopy/base";
import type { DiskId, GroupId, GroupWrite } from "../storage/port.ts";
import type { Batch, Hello, NodeName, SnapshotIntake, SnapshotOffer } from "../transport/port.ts";
import { Absences } from "./absences.ts";
import { within } from "./deadline.ts";
import { DiskWatch } from "./disk-watch.ts";
import { Founding } from "./founding.ts";
import type { Group } from "./group.ts";
import { Inquiries } from "./inquiries.ts";
import { APPLY_MS, PATIENCE, SNAPSHOTS_AT_ONCE } from "./limits.ts";
import { type Bootstrap, openGroup } from "./open-group.ts";
import { DiskWaits, OpenError, Opening } from "./opening.ts";
import { Outbox } from "./outbox.ts";
import type { FoundingStatus, GroupOptions, HostOptions, RaftGroup, RaftHost } from "./port.ts";
import { Sender } from "./sender.ts";
import { NodesOfSleepers } from "./sleepers.ts";
import { Slots } from "./slots.ts";
import type { Surroundings } from "./surroundings.ts";
import { Ticker } from "./ticker.ts";

export function createHost(options: HostOptions): RaftHost {
  return new Host(options);
}

class Host implements RaftHost, Surroundings {
  readonly options: HostOptions;
  readonly outbox: Outbox;
  readonly sender: Sender;
  readonly snapshotSlots: Slots = new Slots(SNAPSHOTS_AT_ONCE);
  ticks = 0;
  readonly #ticker: Ticker;
  readonly #groups = new Map<GroupId, Group>();
  readonly #openings = new Map<GroupId, Opening>();
  readonly #diskWaits: DiskWaits;
  /** What is still under way of replicas that do not run any more: another one can't take their place. */
  readonly #leaving = new Map<GroupId, Promise<void>>();
  readonly #foundings = new Map<GroupId, Founding>();
  readonly #inquiries: Inquiries;
  readonly #awake = new Set<Group>();
  readonly #nodes = new NodesOfSleepers();
  #touched = new Set<Group>();
  #turnIsSet = false;
  readonly #disk: DiskWatch;
  readonly #absences = new Absences();
  #stopped = false;

  constructor(options: HostOptions) {
    this.options = options;
    this.outbox = new Outbox(options.node);
    this.sender = new Sender(options);
    this.#disk = new DiskWatch(options);
    this.#diskWaits = new DiskWaits(PATIENCE * options.electionTicks);
    this.#inquiries = new Inquiries(options.random, (to, hello) => this.#sayHello(to, hello));
    this.#ticker = new Ticker(options, () => this.#tick());
  }

  async start(): Promise<void> {
    const { storage, transport } = this.options;
    storage.onFailing = (error) => this.#disk.onFailing(error, this.ticks);
    this.#disk.onFailing(storage.failing, this.ticks);
    this.#ticker.start();
    await transport.start({
      onBatch: (batch) => this.#onBatch(batch),
      onUnreachable: (node) => this.#onUnreachable(node),
      onSnapshot: (from, disk, offer) => this.#onSnapshot(from, disk, offer),
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ticker.stop();
    this.#inquiries.end();
    const why = "the host has stopped";
    const openings = [...this.#openings].map(([group, opening]) => {
      opening.end(new OpenError(why, { code: "closed", group }));
      return opening.finished;
    });
    const ended = [...this.#groups.values()].map((group) => group.end(why));
    await this.options.transport.stop();
    await Promise.all(openings);
    await this.#inTime([this.sender.stop(), ...ended, ...this.#leaving.values()]);
    this.#groups.clear();
  }

  /** What a disk that hangs keeps from ending is not waited for without limit: then false. */
  async #inTime(ends: readonly Promise<void>[]): Promise<boolean> {
    const { electionTicks, logger, tick, timers } = this.options;
    const all = Promise.all(ends).then(() => true);
    return within(timers, PATIENCE * electionTicks * tick, all).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error({ error: reason }, "something that uses the disk does not end");
      return false;
    });
  }

  async open(options: GroupOptions): Promise<RaftGroup> {
    const { group: id } = options;
    if (this.#stopped) throw new OpenError("the host has stopped", { code: "closed", group: id });
    if (this.#groups.has(id) || this.#openings.has(id)) {
      throw new OpenError(`group ${id} is open`, { code: "open", group: id });
    }
    const opening = new Opening(this.#diskWaits, () => this.#late(id));
    this.#openings.set(id, opening);
    try {
      const leaving = this.#leaving.get(id);
      if (leaving !== undefined) await opening.disk(leaving);
      const found = (bootstrap: Bootstrap) => this.#found(id, bootstrap, opening);
      const group = await openGroup(this, options, opening, found);
      opening.check();
      this.#groups.set(id, group);
      this.#awake.add(group);
      group.begin();
      return group.handle;
    } finally {
      this.#openings.delete(id);
      if (opening.busy) this.#leave(id, opening.idle());
      opening.finish();
    }
  }

  #late(group: GroupId): OpenError {
    const { electionTicks, tick } = this.options;
    const silence = `it has done nothing for ${PATIENCE * electionTicks * tick} ms`;
    const why = this.diskFailure?.message ?? silence;
    return new OpenError(`group ${group} waits in vain for the disk: ${why}`, {
      code: "disk",
      group,
    });
  }

  founding(id: GroupId): FoundingStatus | undefined {
    return this.#foundings.get(id)?.status;
  }

  async close(id: GroupId): Promise<boolean> {
    const why = "the group was closed";
    const opening = this.#openings.get(id);
    opening?.end(new OpenError(why, { code: "closed", group: id }));
    await opening?.finished;
    const group = this.#groups.get(id);
    if (group !== undefined) {
      this.#forget(group);
      this.#leave(id, group.end(why));
    }
    const leaving = this.#leaving.get(id);
    return leaving === undefined || this.#inTime([leaving]);
  }

  #leave(id: GroupId, end: Promise<void>): void {
    const ended = end.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.options.logger.warn({ group: id, error: reason }, "the group did not end well");
    });
    const leaving = Promise.all([this.#leaving.get(id), ended]).then(() => {
      if (this.#leaving.get(id) === leaving) this.#leaving.delete(id);
    });
    this.#leaving.set(id, leaving);
  }

  touch(group: Group): void {
    this.#touched.add(group);
    this.#setTurn();
  }

  fellAsleep(group: Group, nodes: readonly NodeName[]): void {
    this.#awake.delete(group);
    this.#nodes.add(group, nodes, this.ticks);
  }

  woke(group: Group): void {
    this.#nodes.remove(group);
    this.#awake.add(group);
  }

  ended(group: Group, others: readonly NodeName[]): void {
    this.#nodes.remove(group);
    this.#awake.delete(group);
    this.#absences.add(group.id, others, this.ticks + PATIENCE * this.options.electionTicks);
  }

  get diskFailure(): Error | undefined {
    return this.#disk.failure;
  }

  write(write: GroupWrite, done: () => void): void {
    this.#disk.began(this.ticks);
    this.options.storage.write(write, () => {
      this.#disk.ended(this.ticks);
      done();
    });
  }

  removed(group: Group): void {
    this.#forget(group);
    const removed = group
      .end("removed")
      .then(() => this.options.storage.remove(group.id))
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.options.logger.warn(
          { group: group.id, error: reason },
          "removed replica is still here",
        );
      });
    this.#leave(group.id, removed);
  }

  diskOf(node: NodeName): Promise<DiskId | undefined> {
    const { storage, electionTicks } = this.options;
    if (node === this.options.node) return Promise.resolve(storage.disk);
    return this.#inquiries.ask(node, this.ticks + PATIENCE * electionTicks);
  }

  breathe(): Promise<void> {
    return new Promise((resolve) => this.options.defer(resolve));
  }

  #forget(group: Group): void {
    this.#groups.delete(group.id);
    this.#awake.delete(group);
    this.#touched.delete(group);
    this.#nodes.remove(group);
  }

  async #found(
    group: GroupId,
    bootstrap: Bootstrap,
    opening: Opening,
  ): ReturnType<Founding["run"]> {
    const founding = new Founding(group, bootstrap, opening, this.options);
    this.#foundings.set(group, founding);
    try {
      return await opening.orEnd(founding.run());
    } finally {
      this.#foundings.delete(group);
    }
  }

  #sayHello(to: NodeName, hello: Hello): void {
    this.outbox.hello(to, hello);
    this.#setTurn();
  }

  #setTurn(): void {
    if (this.#turnIsSet || this.#stopped) return;
    this.#turnIsSet = true;
    this.options.defer(() => this.#turn());
  }

  /**
   * What the groups write is handed to the log and what they say is sent before anything is applied:
   * the disk and the others work meanwhile.
   */
  #turn(): void {
    this.#turnIsSet = false;
    if (this.#stopped) return;
    const groups = this.#touched;
    this.#touched = new Set();
    for (const group of groups) group.pump();
    this.#flush();
    const { clock } = this.options;
    const end = clock.now() + APPLY_MS;
    const late = () => clock.now() > end;
    for (const group of groups) if (group.apply(late)) this.touch(group);
  }

  #flush(): void {
    const { storage, transport } = this.options;
    this.outbox.flush(storage.disk, this.#toAll, (to, batch) => {
      if (!transport.send(to, batch)) this.#dropped(batch);
    });
  }

  #dropped({ envelopes }: Batch): void {
    for (const { group, message } of envelopes) {
      if (message.type === "append") this.#groups.get(group)?.dropped(message.to);
    }
  }

  #onBatch({ from, disk, envelopes, beats, hellos }: Batch): void {
    if (this.#stopped) return;
    this.#nodes.heard(from, this.ticks);
    for (const { group, message } of envelopes) {
      this.#runs(group, from)?.reception.message(from, disk, message);
    }
    for (const beat of beats) this.#runs(beat.group, from)?.reception.beat(from, disk, beat);
    for (const hello of hellos) this.#onHello(from, disk, hello);
  }

  /**
   * With each word that this node lives, for long enough: either one of these comes, or nothing does.
   * A node that was gone so shortly that nobody noticed need not run what it ran before, or not yet,
   * and nobody may go on sleeping because it lives.
   */
  get #toAll(): readonly Hello[] {
    return this.ticks < PATIENCE * this.options.electionTicks ? [{ type: "started" }] : [];
  }

  /** Who speaks to a group that does not run here is told so: it could sleep, and count on this node. */
  #runs(id: GroupId, from: NodeName): Group | undefined {
    const group = this.#groups.get(id);
    if (group?.running === true) return group;
    if (!this.#openings.has(id)) this.#sayHello(from, { type: "absent", group: id });
    return undefined;
  }

  #onHello(from: NodeName, disk: DiskId, hello: Hello): void {
    switch (hello.type) {
      case "ask":
        return this.#sayHello(from, { type: "answer", token: hello.token });
      case "answer":
        return this.#inquiries.answered(from, disk, hello.token);
      case "founding":
        this.#foundings.get(hello.group)?.met(from, disk, hello.from, hello.members);
        this.#groups.get(hello.group)?.reception.founding(from, disk, hello.from);
        return;
      case "founded":
        this.#foundings.get(hello.group)?.founded(from, hello.members);
        return;
      case "absent": {
        const group = this.#groups.get(hello.group);
        if (group?.sleepsWith.includes(from) === true) group.wake();
        return;
      }
      case "started":
        for (const group of this.#nodes.of(from)) group.wake();
        return;
      default:
        unreachable(hello);
    }
  }

  #onUnreachable(node: NodeName): void {
    if (this.#stopped) return;
    for (const group of this.#groups.values()) group.unreachable(node);
  }

  #onSnapshot(from: NodeName, disk: DiskId, offer: SnapshotOffer): Promise<SnapshotIntake> {
    const group = this.#stopped ? undefined : this.#groups.get(offer.group);
    if (group === undefined) return Promise.reject(new Error(`no group ${offer.group} here`));
    return group.reception.snapshot(from, disk, offer);
  }

  #tick(): void {
    const { electionTicks, heartbeatTicks } = this.options;
    this.ticks++;
    for (const group of this.#awake) group.tick();
    for (const group of this.#nodes.lost(this.ticks - electionTicks)) group.wake();
    if (this.ticks % heartbeatTicks === 0) {
      this.#sayThatWeLive();
      this.#inquiries.repeat(this.ticks);
      const send = (to: NodeName, hello: Hello) => this.#sayHello(to, hello);
      for (const founding of this.#foundings.values()) founding.tell(send);
      this.#absences.tell(this.ticks, (to, group) => send(to, { type: "absent", group }));
    }
    this.#diskWaits.tick(this.ticks);
    if (!this.#disk.tick(this.ticks)) return;
    for (const group of this.#groups.values()) group.giveUpWaiting();
  }

  #sayThatWeLive(): void {
    for (const node of this.#nodes.all()) this.outbox.touch(node);
    this.#setTurn();
  }
}
