/** The control service: the control state as a group of Raft, and what its leader does. */
import { type Clock, Deferred, type Lifecycle, type Logger, type Timers } from "@canopy/base";
import {
  type Announced,
  type Announcement,
  type AttendSink,
  type Ban,
  ClusterView,
  type Control,
  type ControlError,
  type Incarnation,
  type Joined,
  type JoinRequest,
  type LeaseInfo,
  type NodeWish,
  type ReadonlyView,
  type Renewal,
  type Version,
  type Watch,
  type WatchSink,
} from "@canopy/control";
import {
  type GroupId,
  type GroupOptions,
  NONE,
  type RaftGroup,
  type RaftHost,
  type ReplicaId,
} from "@canopy/raft";
import { GroupKeeper, type Keeper, type KeepingOptions } from "../members/group-keeper.ts";
import { foundersOf, isWithout } from "../members/replicas.ts";
import { groupEnded, notLeader, stopped } from "./errors.ts";
import { Leading, type LeadingOptions } from "./leading.ts";
import { propose } from "./proposing.ts";
import { Replica } from "./replica.ts";
import { Resignation } from "./resignation.ts";
import { Watchers } from "./watchers.ts";

export interface ControlServiceOptions extends Partial<Omit<LeadingOptions, "shards" | "groups">> {
  /** Where the group runs; started before this and stopped after it, by who made it. */
  readonly host: Pick<RaftHost, "open" | "close">;
  readonly group: GroupId;
  /** The first voters, where this node does not have the group yet. */
  readonly bootstrap?: Bootstrap | (() => Bootstrap | undefined);
  /** Of a cluster that is created now; else those of then count, and the view says them. */
  readonly shards: number;
  readonly groups: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Brings the group's members in line with the control log; absent: they stay as they are. */
  readonly keeping?: KeepingOptions;
  /** Of the other groups, whether they are without a replica. Absent: there are none. */
  readonly othersAreWithout?: (replica: ReplicaId) => boolean;
  /**
   * After start(): the group has ended here, though nobody stopped this. From here on every call is
   * refused as `closed`; a restart may help, or another replica.
   */
  readonly onEnded?: (reason: string) => void;
}

type Bootstrap = NonNullable<GroupOptions["bootstrap"]>;

const DEFAULTS = {
  lease: 3_000,
  absence: 500,
  patience: 1_000,
  expectedStores: 1,
  placementWait: 10_000,
  movePause: 1_000,
};

/** start() settles when this replica leads, or knows who leads; it rejects where the state can't be read. */
export interface ControlService extends Lifecycle {
  /** Answered by the leader alone; the others refuse with `not-leader`, but for watch(). */
  readonly control: Control;
  /** Of what is applied here. */
  readonly view: ReadonlyView;
  readonly leading: boolean;
  /** Once it is open. */
  readonly raft: RaftGroup | undefined;
  /** Of the leader, where it keeps the group's members. */
  readonly keeper: Keeper | undefined;
  /** Those that it gives, if it leads. */
  readonly leases: readonly LeaseInfo[];
}

export function createControlService(options: ControlServiceOptions): ControlService {
  const service = new Service(options);
  return {
    start: () => service.start(),
    stop: () => service.stop(),
    control: service,
    view: service.view,
    get leading() {
      return service.leading;
    },
    get raft() {
      return service.raft;
    },
    get keeper() {
      return service.keeper;
    },
    get leases() {
      return service.leases;
    },
  };
}

class Service implements Control, Lifecycle {
  readonly #options: ControlServiceOptions;
  readonly #leadingOptions: LeadingOptions;
  readonly #replica: Replica;
  readonly #watchers: Watchers;
  readonly #resignation: Resignation;
  readonly view: ClusterView = new ClusterView();
  readonly #leaderKnown = new Deferred();
  #opening: Promise<RaftGroup> | undefined;
  #group: RaftGroup | undefined;
  /** What the group says; acted on from when it is open. */
  #isLeader = false;
  #leader: string | undefined;
  #leading: Leading | undefined;
  #keeper: GroupKeeper | undefined;
  /** Why the group does not run any more. */
  #ended: ControlError | undefined;
  #stopped = false;

  constructor(options: ControlServiceOptions) {
    this.#options = options;
    this.#leadingOptions = { ...DEFAULTS, ...options };
    this.#replica = new Replica(options.logger, () => this.#onApplied());
    this.#watchers = new Watchers(() => this.#replica.state);
    const { lease } = this.#leadingOptions;
    this.#resignation = new Resignation(options.clock, options.logger, lease);
  }

  async start(): Promise<void> {
    const { host, group } = this.#options;
    const { bootstrap: first } = this.#options;
    const bootstrap = typeof first === "function" ? first() : first;
    this.#opening = host.open({
      group,
      machine: this.#replica,
      listener: {
        onLeading: (leading) => this.#onLeading(leading),
        onLeader: (leader, node) => this.#onLeader(leader, node),
        onEnded: (reason) => this.#onEnded(reason),
      },
      ...(bootstrap && { bootstrap }),
    });
    this.#group = await this.#opening;
    if (this.#ended !== undefined) throw this.#ended;
    this.#onApplied();
    this.#update();
    await this.#leaderKnown.promise;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#update();
    this.#watchers.end(stopped());
    this.#leaderKnown.resolve();
    await this.#options.host.close(this.#options.group);
    await this.#opening?.catch(() => {});
  }

  get leading(): boolean {
    return this.#leading !== undefined;
  }

  get raft(): RaftGroup | undefined {
    return this.#group;
  }

  get leases(): readonly LeaseInfo[] {
    return this.#leading?.leases() ?? [];
  }

  get keeper(): Keeper | undefined {
    return this.#keeper;
  }

  async join(request: JoinRequest): Promise<Joined> {
    return this.#leads().join(request);
  }

  async renew(renewal: Renewal): Promise<void> {
    await this.#leads().renew(renewal);
  }

  async leave(incarnation: Incarnation): Promise<void> {
    await this.#leads().leave(incarnation);
  }

  attend(incarnation: Incarnation, sink: AttendSink): Watch {
    if (this.#leading !== undefined) return this.#leading.attend(incarnation, sink);
    let isOpen = true;
    queueMicrotask(() => {
      if (isOpen) sink.ended(this.#whyNot());
    });
    return {
      close: () => {
        isOpen = false;
      },
    };
  }

  watch(after: Version, sink: WatchSink): Watch {
    return this.#watchers.watch(after, sink);
  }

  async reopen(incarnation: Incarnation, shard: number): Promise<number> {
    return this.#leads().reopen(incarnation, shard);
  }

  async ban(ban: Ban): Promise<Version> {
    return this.#leads().ban(ban);
  }

  async unban(kind: Ban["kind"], value: string): Promise<Version> {
    return this.#leads().unban(kind, value);
  }

  async announce(node: Announcement): Promise<Announced> {
    return this.#leads().announce(node);
  }

  async accuse(gateway: Incarnation): Promise<void> {
    this.#leads().accuse(gateway);
  }

  async wish(wish: NodeWish): Promise<Version> {
    return this.#leads().wish(wish);
  }

  async inForce(version: Version): Promise<void> {
    await this.#leads().inForce(version);
  }

  /** Throws where this replica does not lead. */
  #leads(): Leading {
    if (this.#leading !== undefined) return this.#leading;
    throw this.#whyNot();
  }

  #whyNot(): ControlError {
    if (this.#stopped) return stopped();
    return this.#ended ?? notLeader(this.#leader);
  }

  /** This node's own view first: what runs here knows at least what others hear from here. */
  #onApplied(): void {
    const { state } = this.#replica;
    if (state.version > this.view.version) {
      const changes = this.view.version === 0 ? undefined : state.changesSince(this.view.version);
      if (changes === undefined) this.view.load(state.whole());
      else this.view.apply(changes, state.version);
    }
    this.#watchers.feed();
    this.#leading?.applied();
  }

  #onLeader(leader: ReplicaId, node: string | undefined): void {
    const isOther = leader !== NONE && leader !== this.#group?.status.replica;
    this.#leader = isOther ? node : undefined;
    if (isOther) this.#leaderKnown.resolve();
  }

  #onLeading(leading: boolean): void {
    this.#isLeader = leading;
    this.#update();
  }

  #onEnded(reason: string): void {
    if (this.#stopped || this.#ended !== undefined) return;
    this.#ended = groupEnded(reason);
    this.#update();
    this.#watchers.end(this.#ended);
    if (this.#leaderKnown.settled) this.#options.onEnded?.(reason);
    // Before it is open start() looks itself, and nobody waits for this yet.
    else if (this.#group !== undefined) this.#leaderKnown.reject(this.#ended);
  }

  /** Begins or ends to lead, as the group says. */
  #update(): void {
    const group = this.#group;
    const mayLead = !this.#stopped && this.#ended === undefined;
    const leads = this.#isLeader && mayLead && group !== undefined;
    if (leads === this.leading) return;
    if (leads) {
      this.#leading = this.#lead(group);
      this.#leading.begin();
      this.#keeper = this.#keep(group);
      this.#leaderKnown.resolve();
    } else {
      const leading = this.#leading;
      this.#leading = undefined;
      this.#keeper?.stop();
      this.#keeper = undefined;
      leading?.end(this.#whyNot());
    }
  }

  #keep(group: RaftGroup): GroupKeeper | undefined {
    const { keeping, clock, timers, logger } = this.#options;
    return (
      keeping && new GroupKeeper({ ...keeping, group, view: this.view, clock, timers, logger })
    );
  }

  #lead(group: RaftGroup): Leading {
    const { clock, timers, logger, othersAreWithout = () => true } = this.#options;
    return new Leading({
      options: this.#leadingOptions,
      clock,
      timers,
      logger,
      state: () => this.#replica.state,
      propose: (command) => propose(group, command),
      read: () => group.read(),
      giveUp: () => this.#resignation.resign(group),
      founders: () => foundersOf(group),
      hasLeft: (replica) => isWithout(group, replica) && othersAreWithout(replica),
    });
  }
}
