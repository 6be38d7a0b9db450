/** One machine of the simulated cluster: its disk, and the process that is started on it again and again. */
import type { Logger } from "@canopy/base";
import { EntryKind, type LogIndex, type ReplicaId, type SnapshotMeta } from "../src/core/types.ts";
import { createHost } from "../src/host/host.ts";
import { OpenError } from "../src/host/opening.ts";
import type { RaftGroup, RaftHost } from "../src/host/port.ts";
import type { DiskId, GroupId, GroupWrite, RaftStorage } from "../src/storage/port.ts";
import { openStorage } from "../src/storage/storage.ts";
import type { NodeName } from "../src/transport/port.ts";
import type { Dice } from "./dice.ts";
import { SimDisk } from "./disk/sim-disk.ts";
import { ReplicaShadow } from "./invariants/replica.ts";
import { SpyStorage, type StorageObserver } from "./invariants/spy-storage.ts";
import { Life } from "./life.ts";
import { Machine } from "./machine.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

const DIRECTORY = "/raft";

/** What the service on a node believes that it has to run. */
export interface Assignment {
  readonly replica: ReplicaId;
  readonly voters: ReadonlyMap<ReplicaId, NodeName>;
}

interface Ended {
  reason: string | undefined;
}

export interface OpenGroup {
  readonly handle: RaftGroup;
  readonly machine: Machine;
  readonly shadow: ReplicaShadow;
  /** Has a reason once the host has ended the group by itself. */
  readonly ended: Readonly<Ended>;
}

export interface OfflineWork {
  readonly done: Promise<void>;
  /** As a crash does. */
  readonly cutOff: () => void;
}

export class SimNode {
  readonly name: NodeName;
  readonly #sim: Simulation;
  readonly #dice: Dice;
  disk: SimDisk;
  /** Grows when the disk is wiped: what was on it is another replica's affair. */
  generation = 0;
  life: Life | undefined;
  storage: SpyStorage | undefined;
  host: RaftHost | undefined;
  /** Undefined as long as nothing was ever started on this disk. */
  diskId: DiskId | undefined;
  readonly assignments = new Map<GroupId, Assignment>();
  readonly groups = new Map<GroupId, OpenGroup>();
  readonly #shadows = new Map<string, ReplicaShadow>();
  /** Replicas (group/id) of which nothing need be left. */
  readonly #removed = new Set<string>();
  /** Groups whose replica is being given up; until the disk lets that end, no other can be opened. */
  readonly #leaving = new Set<GroupId>();
  #lives = 0;

  constructor(name: NodeName, sim: Simulation, dice: Dice) {
    this.name = name;
    this.#sim = sim;
    this.#dice = dice;
    this.disk = this.#newDisk();
  }

  get up(): boolean {
    return this.life !== undefined;
  }

  boot(): void {
    const { sim, name } = this.#context();
    const { skew } = sim.plan;
    const rate = skew === 0 ? 1 : this.#dice.real(1 - skew, 1 + skew);
    const life = this.#newLife(rate);
    this.life = life;
    sim.note(name, "starts");
    life.later(0, "start", () => {
      this.#start(life).catch((error: unknown) => this.#failedToStart(life, error));
    });
  }

  #newLife(rate: number): Life {
    const { scheduler } = this.#sim;
    const dice = this.#dice.split(`life ${this.#lives++}`);
    return new Life(this.name, rate, scheduler, () => this.#sim.touch(this), dice);
  }

  /** Does something with what is on the disk of a node that is down, as a command does. */
  offline(act: (storage: RaftStorage) => Promise<void>): OfflineWork {
    const life = this.#newLife(1);
    const work = async (): Promise<void> => {
      const storage = this.#openStorage(life, this.disk.attach(life), undefined);
      await storage.start();
      await act(storage);
      await storage.stop();
    };
    return {
      done: work(),
      cutOff: () => {
        life.end();
        this.disk.crash();
      },
    };
  }

  /** Takes what is on the disk for what has to be there. */
  adopt(storage: RaftStorage): void {
    this.#shadows.clear();
    for (const [group, { replica, log }] of storage.groups) {
      const shadow = ReplicaShadow.of(group, replica, this.name, log);
      this.#shadows.set(`${group}/${replica}`, shadow);
      this.#sim.invariants(group).adopt(shadow);
    }
  }

  crash(): void {
    if (this.life === undefined) return;
    this.#sim.note(this.name, "crashes");
    this.life.end();
    this.life = undefined;
    this.storage = undefined;
    this.host = undefined;
    this.groups.clear();
    this.#leaving.clear();
    this.disk.crash();
    this.#sim.network.detach(this.name);
    this.#sim.onCrash(this);
  }

  wipe(): void {
    this.crash();
    this.#sim.note(this.name, "loses its disk");
    this.disk = this.#newDisk();
    this.diskId = undefined;
    this.generation++;
    this.#shadows.clear();
    this.#removed.clear();
  }

  /** Opens a group that is assigned here while the process runs. */
  async open(group: GroupId, assignment: Assignment): Promise<void> {
    this.assignments.set(group, assignment);
    const { life } = this;
    if (life === undefined) throw new Error("the node is down");
    await this.#open(life, group).catch((error: unknown) => {
      // Who has to run it comes back and tries again.
      if (error instanceof OpenError && error.code === "disk") this.#failedToStart(life, error);
      throw error;
    });
  }

  /** As an operator gives up a replica: it forgets everything. */
  async remove(group: GroupId): Promise<void> {
    this.assignments.delete(group);
    const { host, storage } = this;
    if (host === undefined || storage === undefined) throw new Error("the node is down");
    this.groups.delete(group);
    this.#leaving.add(group);
    try {
      // A disk that hangs ends the waiting, and not what is under way.
      while (!(await host.close(group))) continue;
      if (storage.groups.has(group)) await storage.remove(group);
    } finally {
      this.#leaving.delete(group);
    }
  }

  isLeaving(group: GroupId): boolean {
    return this.#leaving.has(group);
  }

  /** A replica of the group can be opened here. */
  isFree(group: GroupId): boolean {
    return this.up && !this.assignments.has(group) && !this.isLeaving(group);
  }

  /** A restart that would happen now, on what is certainly on the disk, finds what it must. */
  async checkPlatter(): Promise<void> {
    const shadows = [...this.groups.values()].map(({ shadow }) => shadow);
    const life = {
      alive: true,
      later: (_: number, __: string, run: () => void) => queueMicrotask(run),
    };
    const storage = this.#openStorage(
      this.life as Life,
      this.disk.platter().attach(life),
      life.later,
    );
    await storage.start();
    for (const shadow of shadows) {
      const found = storage.groups.get(shadow.group);
      const fits = found?.replica === shadow.id && shadow.matches(found.log) !== undefined;
      if (fits || this.#removed.has(`${shadow.group}/${shadow.id}`)) continue;
      const detail = `${shadow.name}: on the disk must be ${shadow.describeDurable()}`;
      throw new Violation("what was called durable is on the disk", detail);
    }
  }

  async #start(life: Life): Promise<void> {
    const { sim } = this.#context();
    const disk = this.disk.attach(life);
    const inner = this.#openStorage(life, disk, undefined);
    const storage = new SpyStorage(inner, this.#observer(life));
    await storage.start();
    if (!life.alive) return;
    this.diskId = storage.disk;
    this.#recovered(storage);
    const { plan } = sim;
    const host = createHost({
      node: this.name,
      storage,
      transport: sim.network.transport(life),
      clock: life.clock,
      timers: life.timers,
      random: this.#dice.split(`host ${this.#lives}`),
      logger: this.#logger(life),
      defer: life.defer,
      tick: plan.tick,
      electionTicks: plan.electionTicks,
      heartbeatTicks: plan.heartbeatTicks,
      maxProposals: plan.maxProposals,
      maxProposalBytes: plan.maxProposalBytes,
      snapshotEvery: plan.snapshotEvery,
      keepTail: plan.keepTail,
      limits: plan.limits,
    });
    await host.start();
    this.storage = storage;
    this.host = host;
    const ids = [...storage.groups.keys()];
    const others = [...this.assignments.keys()].filter((group) => !ids.includes(group));
    // They may have to wait for others.
    for (const group of others) this.beginLater(group);
    await Promise.all(ids.map((group) => this.#open(life, group)));
    sim.note(this.name, `runs groups ${ids.join(" ")}, begins ${others.join(" ")}`);
  }

  /** Opens a group of which nothing is here yet. */
  beginLater(group: GroupId): void {
    const { life } = this;
    if (life === undefined) return;
    this.#open(life, group).catch((error: unknown) => {
      const message = String(error);
      if (/was closed|is open/.test(message)) this.#sim.note(this.name, message);
      else this.#failedToStart(life, error);
    });
  }

  /** A group that was created here, if it is open already or not. */
  hasGroup(group: GroupId): boolean {
    return this.groups.has(group) || this.storage?.groups.has(group) === true;
  }

  /** It waits for the other first members of a group. */
  isFounding(group: GroupId): boolean {
    return this.host?.founding(group) !== undefined;
  }

  #openStorage(
    life: Life,
    disk: ReturnType<SimDisk["attach"]>,
    later: ((ms: number, label: string, run: () => void) => void) | undefined,
  ): RaftStorage {
    const set = (ms: number, fn: () => void): { cancel: () => void } => {
      later?.(ms, "timer", fn);
      return { cancel: () => undefined };
    };
    return openStorage({
      directory: DIRECTORY,
      disk,
      random: this.#dice.split(`storage ${this.#lives}`),
      timers: later === undefined ? life.timers : { set },
      logger: this.#logger(life),
      segmentBytes: this.#sim.plan.segmentBytes,
    });
  }

  async #open(life: Life, group: GroupId): Promise<void> {
    const { host } = this;
    if (host === undefined) throw new Error("the host is not running");
    const assignment = this.assignments.get(group);
    const observer = this.#sim.applyObserver(group, this.name);
    const machine = new Machine(observer);
    const ended: Ended = { reason: undefined };
    const handle = await host.open({
      group,
      machine,
      listener: {
        onLeading: (leading, term) => {
          this.#sim.note(this.name, `group ${group}: ${leading ? "leads" : "led"} in term ${term}`);
        },
        onLeader: () => undefined,
        onEnded: (reason) => {
          ended.reason = reason;
          this.#sim.note(this.name, `group ${group} ended: ${reason}`);
        },
      },
      ...(assignment === undefined ? {} : { bootstrap: assignment }),
    });
    if (!life.alive) return;
    const shadow = this.shadow(group, handle.status.replica);
    if (shadow === undefined) throw new Error(`no shadow of group ${group}`);
    this.groups.set(group, { handle, machine, shadow, ended });
  }

  #observer(life: Life): StorageObserver {
    const { sim } = this.#context();
    const guard = (act: () => void): void => {
      if (life.alive) sim.guard(act);
    };
    const current = new Map<GroupId, ReplicaShadow>();
    const of = (group: GroupId): ReplicaShadow => {
      let shadow = current.get(group);
      if (shadow === undefined) {
        const replica = this.storage?.groups.get(group)?.replica;
        shadow = replica === undefined ? undefined : this.shadow(group, replica);
        if (shadow === undefined) throw new Error(`no shadow of group ${group}`);
        current.set(group, shadow);
      }
      return shadow;
    };
    return {
      onCreate: (group, replica, snapshot) =>
        guard(() => {
          current.set(group, this.#create(group, replica, snapshot));
        }),
      onCreated: (group) =>
        guard(() => {
          of(group).created = true;
          sim.nemesis.onMoment("founding", this);
        }),
      onRemove: (group) =>
        guard(() => {
          this.#removed.add(`${group}/${of(group).id}`);
          this.assignments.delete(group);
          this.groups.delete(group);
          current.delete(group);
        }),
      onWrite: (write: GroupWrite) =>
        guard(() => {
          const shadow = of(write.group);
          sim.invariants(write.group).onWrite(shadow, write);
          this.#checkChanges(shadow, write);
        }),
      onDurable: (write: GroupWrite) =>
        guard(() => {
          const shadow = current.get(write.group);
          if (shadow === undefined) return;
          sim.invariants(write.group).onDurable(shadow);
          sim.onDurable(this);
        }),
      onFounding: () => guard(() => sim.nemesis.onMoment("founding", this)),
      onSnapshot: (group, meta, received) =>
        guard(() => sim.onSnapshot(this, group, meta, received)),
    };
  }

  #checkChanges(shadow: ReplicaShadow, { group, entries }: GroupWrite): void {
    for (const { kind, index } of entries) {
      if (kind !== EntryKind.Configuration) continue;
      const status = this.groups.get(group)?.handle.status;
      if (status?.role !== "leader") return;
      this.#sim.invariants(group).onChange(shadow, index, status);
    }
  }

  #create(group: GroupId, replica: ReplicaId, snapshot: SnapshotMeta): ReplicaShadow {
    const known = this.shadow(group, replica);
    if (known !== undefined) return known;
    const shadow = new ReplicaShadow(group, replica, this.name, snapshot);
    this.#shadows.set(`${group}/${replica}`, shadow);
    const invariants = this.#sim.invariants(group);
    invariants.replicas.push(shadow);
    if (snapshot.configuration.voters.length > 0) invariants.begin(snapshot.configuration);
    return shadow;
  }

  /** Of a replica on the present disk, also while the node is down. */
  shadow(group: GroupId, replica: ReplicaId): ReplicaShadow | undefined {
    return this.#shadows.get(`${group}/${replica}`);
  }

  /** What a start found against what was said to be on the disk. */
  #recovered(storage: RaftStorage): void {
    for (const [group, { replica, log }] of storage.groups) {
      const shadow = this.shadow(group, replica);
      const state = shadow?.matches(log);
      if (shadow === undefined || state === undefined) {
        const { hardState, snapshot, entries } = log;
        const found = `term ${hardState.term} vote ${hardState.vote} snapshot ${snapshot.index}:${snapshot.term} log ${entries
          .map((entry) => `${entry.index}:${entry.term}`)
          .slice(-12)
          .join(" ")}`;
        const had = shadow?.describeDurable() ?? "nothing";
        const who = shadow?.name ?? this.name;
        const detail = `${who}: after a restart ${found}; on the disk was ${had}`;
        throw new Violation("what was called durable is on the disk", detail);
      }
      shadow.created = true;
      shadow.restart(state);
    }
    for (const shadow of this.#shadows.values()) {
      const found = storage.groups.get(shadow.group)?.replica;
      if (
        !shadow.created ||
        found === shadow.id ||
        this.#removed.has(`${shadow.group}/${shadow.id}`)
      )
        continue;
      const detail = `${shadow.name} is not on the disk after a restart`;
      throw new Violation("what was called durable is on the disk", detail);
    }
  }

  #failedToStart(life: Life, error: unknown): void {
    if (!life.alive) return;
    const { sim } = this.#context();
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (error instanceof Violation) {
      sim.report(error);
    } else if (/EIO|ENOSPC|waits in vain for the disk/.test(message)) {
      sim.note(this.name, `can't start: ${message.split("\n")[0]}`);
      this.crash();
      sim.restartLater(this, 50);
    } else {
      sim.report(new Violation("a node starts after a crash", `${this.name}: ${message}`));
    }
  }

  #newDisk(): SimDisk {
    const { scheduler, plan } = this.#sim;
    const disk = new SimDisk(
      this.#dice.split(`disk ${this.generation}`),
      { ...plan.disk },
      () => scheduler.now,
    );
    disk.onOperation = (what) => this.#sim.onDiskOperation(this, what);
    return disk;
  }

  #logger(life: Life): Logger {
    const { sim, name } = this.#context();
    const log = (fields: object, message: string): void => {
      if (!life.alive) return;
      if (sim.journal.reading) sim.note(name, `${message} ${JSON.stringify(fields)}`);
      if (!message.startsWith("the group stops here")) return;
      const { group, replica } = fields as { group: GroupId; replica: ReplicaId };
      const details = JSON.stringify(fields);
      // A replica without its disk can't but fail when a leader speaks to it as to the old one.
      if (/EIO|ENOSPC/.test(details) || sim.lostDisk.has(`${group}/${replica}`)) return;
      sim.report(new Violation("a group does not fail", `${name}: ${details}`));
    };
    return { trace: log, debug: log, info: log, warn: log, error: log };
  }

  #context(): { sim: Simulation; name: NodeName } {
    return { sim: this.#sim, name: this.name };
  }

  /** How far each group's state machine is, for those who wait. */
  applied(group: GroupId): LogIndex {
    return this.groups.get(group)?.handle.status.applied ?? 0;
  }
}
