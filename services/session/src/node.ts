/** A session node: a replica of the control group and of every session group, over one log. */
import {
  type Clock,
  Deferred,
  type Lifecycle,
  type Logger,
  type Random,
  type Timers,
} from "@canopy/base";
import { ConfigError } from "@canopy/config";
import type { Control, Member } from "@canopy/control";
import {
  createHost,
  type GroupId,
  type NodeName,
  openStorage,
  type RaftHost,
  type RaftStorage,
  type StorageDurability,
  type Transport,
} from "@canopy/raft";
import type { RouteSink } from "@canopy/session";
import { type ControlService, createControlService } from "./control/service.ts";
import { Entering } from "./members/entering.ts";
import { KEEPING, type KeepingOptions } from "./members/group-keeper.ts";
import { isWithout } from "./members/replicas.ts";
import { createSessionService, type SessionService } from "./service.ts";

export interface SessionNodeOptions {
  readonly name: NodeName;
  /** All that create the cluster, the same on all of them. One that is not among them joins it later. */
  readonly founders: readonly NodeName[];
  /** Fixed when the cluster is created. */
  readonly shards: number;
  readonly groups: number;
  /** Of the log. */
  readonly directory: string;
  readonly durability: StorageDurability;
  /** See HostOptions. */
  readonly snapshotEvery: number;
  readonly keepTail: number;
  readonly transport: Transport;
  /** ms; an election begins after 10 to 20 of them without a word of the leader. */
  readonly tick: number;
  /** See LeaseOptions; ms. */
  readonly lease: number;
  readonly absence: number;
  /** See PlacingOptions. */
  readonly expectedStores: number;
  /** See KeepingOptions. */
  readonly keeping?: Pick<KeepingOptions, "look" | "quiet">;
  /** A store process's port. */
  readonly store: (member: Member) => RouteSink;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** A group has ended here, though nobody stopped it. */
  readonly onEnded: (reason: string) => void;
}

const CONTROL = 0;
const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 1;
const MAX_PROPOSALS = 100_000;
const MAX_PROPOSAL_BYTES = 256 * 1024 * 1024;

/** Its parts are started in this order, and stopped in the opposite one. */
export class SessionNode {
  /** Log and host: from here on others can be answered. */
  readonly raft: Lifecycle;
  /** Started when somebody is known to lead it; by enter() where there are other nodes. */
  readonly control: ControlService;
  /** Every group, by number from 1. */
  readonly groups: readonly SessionService[];
  /** All groups together; they follow the control log. */
  readonly sessions: Lifecycle;
  readonly #options: SessionNodeOptions;
  readonly #storage: RaftStorage;
  readonly #host: RaftHost;
  readonly #entering: Entering;
  readonly #stopped = new Deferred();
  /** Of the control plane, wherever it is; undefined where all is in one process. */
  #leader: Pick<Control, "accuse"> | undefined;

  constructor(options: SessionNodeOptions) {
    const { shards, groups, clock, timers, logger } = options;
    const storage = openStorage(common(options));
    const host = createHost(hostOptions(options, storage));
    const around = { host, shards, groups, clock, timers, logger };
    const entering = new Entering({ ...options, host, storage, start: () => this.control.start() });
    const bootstrap = () => entering.bootstrap;
    this.#options = options;
    this.#storage = storage;
    this.#host = host;
    this.#entering = entering;
    this.raft = inOrder(storage, {
      start: () => host.start(),
      stop: () => {
        this.#stopped.resolve();
        return host.stop();
      },
    });
    const { lease, absence, expectedStores, keeping = KEEPING } = options;
    const leading = { lease, absence, expectedStores };
    this.control = createControlService({
      ...around,
      ...leading,
      group: CONTROL,
      bootstrap,
      onEnded: (reason) => this.#onEnded(CONTROL, reason),
      keeping: { ...keeping, mayRemove: (replica) => this.#othersAreWithout(replica) },
      othersAreWithout: (replica) => this.#othersAreWithout(replica),
    });
    const cluster = this.control.view;
    const kept = { ...keeping, view: cluster, mayRemove: () => true };
    this.groups = Array.from({ length: groups }, (_, i) => {
      const { store } = options;
      const group = i + 1;
      const own = {
        group,
        onEnded: (reason: string) => this.#onEnded(group, reason),
        accuse: (gateway: number) => this.#accuse(gateway),
      };
      return createSessionService({ ...around, ...own, bootstrap, cluster, store, keeping: kept });
    });
    this.sessions = together(this.groups, () => this.#belongs);
  }

  /** A group from 1; undefined where there is none. */
  group(number: number): SessionService | undefined {
    return this.groups[number - 1];
  }

  /** Identity of the data folder, once `raft` is started. */
  get disk(): number {
    return this.#storage.disk;
  }

  /**
   * Instead of control.start(), with `raft` started and the server listening: creates the cluster with
   * the others, joins it, or goes on with what is on the disk; and says at the control plane where this
   * node is. Settles when all that is done, and waits for it as long as need be. Rejects where the
   * cluster is another one than this node was made for.
   */
  async enter(control: Pick<Control, "announce" | "accuse">, address: string): Promise<void> {
    this.#leader = control;
    await this.#entering.run(control, address);
    await this.#viewKnown();
    const { shards, groups } = this.control.view;
    if (shards !== this.#options.shards || groups !== this.#options.groups) {
      const problem = `the cluster was created with ${shards}, and session.groups=${groups}: set them so`;
      throw new ConfigError(`store.shards: ${problem}`, "store.shards");
    }
  }

  /** Founders that have not been met yet, or what keeps this node from the cluster, one line each. */
  get waitsFor(): readonly string[] {
    const { why } = this.#entering;
    if (why !== undefined) return [why];
    const founding = this.#host.founding(CONTROL);
    if (founding === undefined) return [];
    return founding.complaints.length > 0 ? founding.complaints : founding.waitsFor;
  }

  /**
   * A replica that was added later has nothing before a leader has sent it. One that leaves goes on with
   * what it still has: it may be needed for a majority.
   */
  async #viewKnown(): Promise<void> {
    const { view } = this.control;
    const known = new Deferred();
    const look = (): void => {
      const { replica } = view.nodeEntry(this.#options.name) ?? {};
      if (replica === this.control.raft?.status.replica) known.resolve();
    };
    const unlisten = view.listen(look);
    look();
    await Promise.race([known.promise, this.#stopped.promise]);
    unlisten();
  }

  /** The control log has it, and as the replica that is here. */
  get #belongs(): boolean {
    const entry = this.control.view.nodeEntry(this.#options.name);
    const replica = this.control.raft?.status.replica;
    // Before it is known who created the cluster, all that are there did.
    return entry === undefined || (entry.standing === "member" && entry.replica === replica);
  }

  /** Of a node that leaves, groups end one after the other; that the control group does is the end. */
  #onEnded(group: GroupId, reason: string): void {
    const { onEnded, logger, name } = this.#options;
    if (this.#belongs) onEnded(reason);
    else if (group === CONTROL) onEnded(`${name} has left the cluster`);
    else logger.info({ group, reason }, "a group has been left");
  }

  /** Said again while it is so: one that does not arrive is not missed. */
  #accuse(gateway: number): void {
    this.#leader?.accuse(gateway).catch((error: unknown) => {
      this.#options.logger.debug({ gateway, error: String(error) }, "an accusation was not heard");
    });
  }

  #othersAreWithout(replica: number): boolean {
    return this.groups.every(({ raft }) => raft !== undefined && isWithout(raft, replica));
  }
}

function common({ directory, durability, timers, random, logger }: SessionNodeOptions) {
  return { directory, durability, timers, random, logger };
}

function hostOptions(options: SessionNodeOptions, storage: RaftStorage) {
  const { name, transport, clock, timers, random, logger } = options;
  const { tick, snapshotEvery, keepTail } = options;
  return {
    node: name,
    storage,
    transport,
    clock,
    timers,
    random,
    logger,
    defer: setImmediate,
    tick,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    maxProposals: MAX_PROPOSALS,
    maxProposalBytes: MAX_PROPOSAL_BYTES,
    snapshotEvery,
    keepTail,
  };
}

function inOrder(first: Lifecycle, second: Lifecycle): Lifecycle {
  return {
    start: async () => {
      await first.start();
      await second.start();
    },
    stop: async () => {
      await second.stop();
      await first.stop();
    },
  };
}

/** Of a node that is leaving, what has been left already can't be started. */
function together(parts: readonly Lifecycle[], belongs: () => boolean): Lifecycle {
  const start = async (part: Lifecycle): Promise<void> => {
    try {
      await part.start();
    } catch (error) {
      if (belongs()) throw error;
    }
  };
  return {
    start: async () => {
      await Promise.all(parts.map(start));
    },
    stop: async () => {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}
