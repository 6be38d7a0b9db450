/** The session service: the state as a group of Raft, and what its leader does. */
import { type Clock, Deferred, type Lifecycle, type Logger, type Timers } from "@canopy/base";
import type { Member, ReadonlyView } from "@canopy/control";
import {
  type GroupOptions,
  NONE,
  type RaftGroup,
  type RaftHost,
  type ReplicaId,
} from "@canopy/raft";
import {
  type DeliveryChanges,
  type GatewayPeer,
  type Opened,
  type OpenRequest,
  type Progress,
  type ReleaseRequest,
  type RouteSink,
  type SessionCounts,
  SessionError,
  type SessionQueries,
  type Sessions,
  type SubscribeRequest,
  type SubscribeResult,
  type UnsubscribeRequest,
  type WithdrawRequest,
} from "@canopy/session";
import { Resignation } from "./control/resignation.ts";
import { ended, notLeader, stopped } from "./errors.ts";
import { GroupClock } from "./group-clock.ts";
import { Leading, type LeadingParts } from "./leading.ts";
import { GroupKeeper, type Keeper, type KeepingOptions } from "./members/group-keeper.ts";
import { propose } from "./proposing.ts";
import { Queries } from "./queries.ts";
import { Replica } from "./replica.ts";
import type { Cluster } from "./stores.ts";

export interface SessionServiceOptions {
  /** Where the group runs; started before this and stopped after it, by who made it. */
  readonly host: Pick<RaftHost, "open" | "close">;
  /** The session group, from 1; the number of its group of Raft. */
  readonly group: number;
  /** Number of session groups of the cluster; fixed when it is created. Default 1. */
  readonly groups?: number;
  /** The first voters, where this node does not have the group yet. */
  readonly bootstrap?: Bootstrap | (() => Bootstrap | undefined);
  /** Number of shards of the cluster; fixed when it is created. */
  readonly shards: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** What this node knows of the control log. */
  readonly cluster: Cluster;
  /** Brings the group's members in line with the control log; absent: they stay as they are. */
  readonly keeping?: KeepingOptions & { readonly view: ReadonlyView };
  /** A store process's port. It may refuse or wait until that has started: it is asked again. */
  readonly store: (member: Member) => RouteSink;
  /** Claims and subscribes that may wait, each; default 100,000. */
  readonly maxWaiting?: number;
  /** How often, and how long at most, the owner of a claimed session is asked, ms. */
  readonly claimRepeat?: number;
  readonly claimTimeout?: number;
  /** After so long, in ms, a gateway that does not give up a session is reported to `accuse`. */
  readonly claimPatience?: number;
  /** See Control.accuse. Absent: gateways end with this process. */
  readonly accuse?: (gateway: number) => void;
  /**
   * After start(): the group has ended here, though nobody stopped this. From here on every call is
   * refused as `closed`; a restart may help, or another replica.
   */
  readonly onEnded?: (reason: string) => void;
}

type Bootstrap = NonNullable<GroupOptions["bootstrap"]>;

const MAX_WAITING = 100_000;
/** Sessions per command. */
const PART = 1_000;
const CLAIM_REPEAT = 1_000;
const CLAIM_TIMEOUT = 10_000;
/**
 * Longer than a gateway waits for appends whose owner is gone; and with a lease of 3 s it is gone before
 * the claim's time is over.
 */
const CLAIM_PATIENCE = 5_000;
/** In which a leader that has lost sight of most gateways lets another lead, once to each. */
const RESIGNATION = 3_000;

/**
 * start() settles when this replica leads and has begun to, or knows who leads; it rejects where the
 * state or a command in the log can't be read.
 */
export interface SessionService extends Lifecycle {
  /** Answered by the leader alone; the others refuse with `not-leader`. */
  readonly sessions: Sessions;
  /** Answered by the leader alone. */
  readonly queries: SessionQueries;
  /** Of what is applied here. */
  readonly counts: SessionCounts;
  /** Up to which version of the control log the group knows gateways and stores, as applied here. */
  readonly version: number;
  /** Whether this replica leads, and what the leader has to do is being done here. */
  readonly leading: boolean;
  /** Once it is open. */
  readonly raft: RaftGroup | undefined;
  /** Of the leader, where it keeps the group's members. */
  readonly keeper: Keeper | undefined;
}

export function createSessionService(options: SessionServiceOptions): SessionService {
  const service = new Service(options);
  return {
    start: () => service.start(),
    stop: () => service.stop(),
    sessions: service,
    queries: service.queries,
    get counts() {
      return service.appliedCounts;
    },
    get version() {
      return service.version;
    },
    get leading() {
      return service.leading;
    },
    get raft() {
      return service.raft;
    },
    get keeper() {
      return service.keeper;
    },
  };
}

class Service implements Sessions, Lifecycle {
  readonly #options: SessionServiceOptions;
  readonly #replica: Replica;
  readonly #clock: GroupClock;
  readonly #resignation: Resignation;
  readonly queries: SessionQueries;
  readonly #leaderKnown = new Deferred();
  #opening: Promise<RaftGroup> | undefined;
  #group: RaftGroup | undefined;
  /** What the group says; acted on from when it is open. */
  #isLeader = false;
  #leaderNode: string | undefined;
  #leading: Leading | undefined;
  #keeper: GroupKeeper | undefined;
  /** Why the group does not run any more. */
  #ended: SessionError | undefined;
  #stopped = false;

  constructor(options: SessionServiceOptions) {
    this.#options = options;
    this.#clock = new GroupClock(options.clock);
    this.#resignation = new Resignation(options.clock, options.logger, RESIGNATION);
    const { shards, groups = 1, group, logger } = options;
    const onApplied = () => this.#leading?.afterBatch();
    this.#replica = new Replica({ shards, groups, group }, logger, onApplied);
    this.queries = new Queries({ state: () => this.#replica.state, leads: () => this.#leader() });
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
    this.#update();
    await this.#leaderKnown.promise;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#update();
    this.#leaderKnown.resolve();
    await this.#options.host.close(this.#options.group);
    await this.#opening?.catch(() => {});
  }

  get version(): number {
    return this.#replica.state.version;
  }

  get appliedCounts(): SessionCounts {
    return this.#replica.state.counts();
  }

  get leading(): boolean {
    return this.#leading !== undefined;
  }

  get raft(): RaftGroup | undefined {
    return this.#group;
  }

  get keeper(): Keeper | undefined {
    return this.#keeper;
  }

  async attach(gateway: number, peer: GatewayPeer): Promise<void> {
    await this.#leads().gateways.attach(gateway, peer);
  }

  async open(request: OpenRequest): Promise<Opened> {
    const { gateways, claims } = this.#leads();
    // Asked here too: one that is gone must not make the present owner stop.
    gateways.require(request.gateway);
    return claims.open(request);
  }

  async withdraw(request: WithdrawRequest): Promise<void> {
    await this.#leads().withdraw(request);
  }

  async release(request: ReleaseRequest): Promise<void> {
    await this.#leads().propose({ type: "release", request });
  }

  async subscribe(request: SubscribeRequest): Promise<SubscribeResult> {
    return this.#leads().subscribing.subscribe(request);
  }

  async unsubscribe(request: UnsubscribeRequest): Promise<readonly boolean[]> {
    const existed = await this.#leads().propose({ type: "unsubscribe", request });
    if (existed === undefined) throw new SessionError("stale", "somebody else has the session");
    return existed;
  }

  async progress(batch: readonly Progress[]): Promise<void> {
    const { propose } = this.#leads();
    await Promise.all(inParts(batch).map((part) => propose({ type: "progress", batch: part })));
  }

  async deliveries(batch: readonly DeliveryChanges[]): Promise<void> {
    const { propose } = this.#leads();
    await Promise.all(inParts(batch).map((part) => propose({ type: "deliveries", batch: part })));
  }

  async counts(): Promise<SessionCounts> {
    this.#leads();
    return this.#replica.state.counts();
  }

  /** Throws where this replica does not lead. */
  #leads(): Leading {
    if (this.#leading !== undefined) return this.#leading;
    throw this.#whyNot();
  }

  #leader(): { readonly leading: Leading; readonly group: RaftGroup } {
    return { leading: this.#leads(), group: this.#group as RaftGroup };
  }

  #whyNot(): SessionError {
    if (this.#stopped) return stopped();
    return this.#ended ?? notLeader(this.#leaderNode);
  }

  #onLeader(leader: ReplicaId, node: string | undefined): void {
    const isOther = leader !== NONE && leader !== this.#group?.status.replica;
    this.#leaderNode = isOther ? node : undefined;
    if (isOther) this.#leaderKnown.resolve();
  }

  #onLeading(leading: boolean): void {
    this.#isLeader = leading;
    this.#update();
  }

  #onEnded(reason: string): void {
    if (this.#stopped || this.#ended !== undefined) return;
    this.#ended = ended(reason);
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
      void this.#begin(group);
    } else {
      this.#keeper?.stop();
      this.#keeper = undefined;
      this.#replica.follow();
      this.#leading?.end(this.#whyNot());
      this.#leading = undefined;
    }
  }

  async #begin(group: RaftGroup): Promise<void> {
    const leading = new Leading(this.#leadingParts(group));
    this.#leading = leading;
    try {
      this.#clock.resume(this.#replica.state.clock);
      this.#replica.lead(leading.effects);
      await leading.begin();
    } catch (error) {
      await this.#failed(leading, error);
      return;
    }
    if (this.#leading !== leading) return;
    this.#keeper = this.#keep(group);
    this.#leaderKnown.resolve();
  }

  #keep(group: RaftGroup): GroupKeeper | undefined {
    const { keeping, clock, timers, logger } = this.#options;
    return keeping && new GroupKeeper({ ...keeping, group, clock, timers, logger });
  }

  /** Who can't lead must not half lead: the group ends here as after any failure, and others lead it. */
  async #failed(leading: Leading, error: unknown): Promise<void> {
    const { host, group, logger } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    logger.error(
      { group, error: reason },
      "what the leader of the sessions has to do can't be done",
    );
    // A later leadership, if there is one, has begun anew from the state.
    if (this.#leading !== leading) return;
    this.#onEnded(`leading has failed here: ${reason}`);
    this.#update();
    await host.close(group).catch((failure: unknown) => {
      logger.error({ group, error: String(failure) }, "the group of the sessions does not close");
    });
  }

  #leadingParts(group: RaftGroup): LeadingParts {
    const { clock, timers, logger, cluster, store, shards, maxWaiting } = this.#options;
    return {
      group: group.id,
      term: group.status.term,
      clock,
      groupClock: this.#clock,
      timers,
      logger,
      cluster,
      store,
      state: () => this.#replica.state,
      propose: (proposal) => propose(group, this.#clock, proposal),
      shards,
      maxWaiting: maxWaiting ?? MAX_WAITING,
      claimRepeat: this.#options.claimRepeat ?? CLAIM_REPEAT,
      claimTimeout: this.#options.claimTimeout ?? CLAIM_TIMEOUT,
      claimPatience: this.#options.claimPatience ?? CLAIM_PATIENCE,
      accuse: this.#options.accuse ?? (() => {}),
      giveUp: () => this.#resignation.resign(group),
    };
  }
}

/** A command is applied in one go, so one for very many sessions would hold up everything else. */
function inParts<T>(batch: readonly T[]): (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let i = 0; i < batch.length; i += PART) parts.push(batch.slice(i, i + PART));
  return parts;
}
