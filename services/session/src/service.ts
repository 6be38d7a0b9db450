/** The session service of one process: the state, its log, and what has to happen by itself. */
import type { Clock, Lifecycle, Logger, Timers } from "@canopy/base";
import {
  type DeliveryChanges,
  type EffectSink,
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
} from "@canopy/session";
import { Background } from "./background.ts";
import { Claims } from "./claims.ts";
import { Cleanup } from "./cleanup.ts";
import { Deadlines } from "./deadlines.ts";
import { Gateways } from "./gateways.ts";
import { GroupClock } from "./group-clock.ts";
import type { Disk } from "./log/disk.ts";
import { type Durability, LocalLog } from "./log/log.ts";
import { type Propose, Replica } from "./replica.ts";
import { RouteStream } from "./route-stream.ts";
import { Subscribing } from "./subscribing.ts";
import { WillPublisher } from "./will-publisher.ts";

export interface SessionServiceOptions {
  /**
   * Of the log, and of nothing else. It is not locked here: the standalone opens its LevelDB first,
   * which refuses a second process.
   */
  readonly directory: string;
  /** Number of shards of the cluster; fixed when it is created. */
  readonly shards: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** May refuse or wait until its owner has started: it is asked again. */
  readonly routeSink: RouteSink;
  readonly durability: Durability;
  /** Bytes of log after which a snapshot is taken; default 64 MiB. */
  readonly snapshotEvery?: number;
  /** Commands, claims and subscribes that may wait, each; default 100,000. */
  readonly maxWaiting?: number;
  /** How often, and how long at most, the owner of a claimed session is asked, ms. */
  readonly claimRepeat?: number;
  readonly claimTimeout?: number;
  /** For tests: where the log is. */
  readonly disk?: Disk;
}

const SNAPSHOT_EVERY = 64 * 1024 * 1024;
const MAX_WAITING = 100_000;
/** Sessions per command. */
const PART = 1_000;
const CLAIM_REPEAT = 1_000;
const CLAIM_TIMEOUT = 10_000;

export interface SessionService extends Lifecycle {
  readonly sessions: Sessions;
  readonly queries: SessionQueries;
}

export function createSessionService(options: SessionServiceOptions): SessionService {
  const service = new Service(options);
  return {
    start: () => service.start(),
    stop: () => service.stop(),
    sessions: service,
    queries: service.queries,
  };
}

class Service implements Sessions, Lifecycle {
  readonly #replica: Replica;
  readonly #log: LocalLog;
  readonly #background: Background;
  readonly #routes: RouteStream;
  readonly #wills: WillPublisher;
  readonly #cleanup: Cleanup;
  readonly #deadlines: Deadlines;
  readonly #gateways: Gateways;
  readonly #claims: Claims;
  readonly #subscribing: Subscribing;
  readonly #propose: Propose;
  readonly queries: SessionQueries;
  #stage: "new" | "live" | "stopped" = "new";

  constructor(options: SessionServiceOptions) {
    const { clock, timers, logger, shards, routeSink: sink } = options;
    const maxWaiting = options.maxWaiting ?? MAX_WAITING;
    const groupClock = new GroupClock(clock);
    this.#replica = new Replica(shards, groupClock, logger, () => this.#afterBatch());
    this.#log = openLog(options, this.#replica, maxWaiting);
    const propose: Propose = (proposal) => this.#replica.propose(this.#log, proposal);
    const state = () => this.#replica.state;
    const background = new Background(clock, timers, logger);
    this.#propose = propose;
    this.#background = background;
    this.#routes = new RouteStream(sink, background);
    this.#wills = new WillPublisher({
      sink,
      clock,
      logger,
      propose,
      background,
      onIdle: (incarnation) => this.#willsDone(incarnation),
    });
    const isBusy = (incarnation: number) => this.#wills.isBusy(incarnation);
    this.#cleanup = new Cleanup({ sink, propose, background, isBusy });
    this.#deadlines = new Deadlines({ clock: groupClock, timers, state, propose, background });
    this.#gateways = new Gateways({ state, propose, background });
    this.#claims = new Claims({
      timers,
      state,
      maxWaiting,
      repeat: options.claimRepeat ?? CLAIM_REPEAT,
      timeout: options.claimTimeout ?? CLAIM_TIMEOUT,
      peer: (gateway) => this.#gateways.peer(gateway),
      open: (request) => propose({ type: "open", request }),
    });
    this.#subscribing = new Subscribing({
      shards,
      sink,
      routes: this.#routes,
      propose,
      maxWaiting,
    });
    this.queries = {
      routes: () => state().routes(),
      lowest: (filter, shard) => state().lowest(filter, shard),
      sharedUnfinished: (filter, shard) => state().sharedUnfinished(filter, shard),
      isLive: (incarnation) => state().session(incarnation) !== undefined,
    };
  }

  async start(): Promise<void> {
    await this.#log.open();
    const { state } = this.#replica;
    for (const { incarnation, deadline } of state.sessions()) {
      this.#deadlines.set(incarnation, deadline);
    }
    for (const will of state.pendingWills()) this.#wills.add(will);
    for (const incarnation of state.ended()) this.#cleanup.add(incarnation);
    this.#replica.goLive(this.#effects());
    this.#stage = "live";
    await this.#gateways.allDown();
    this.#afterBatch();
  }

  async stop(): Promise<void> {
    this.#stage = "stopped";
    this.#background.stop();
    this.#deadlines.stop();
    this.#claims.stop();
    this.#subscribing.stop();
    await this.#log.close();
  }

  register(peer: GatewayPeer): Promise<number> {
    return this.#gateways.register(peer);
  }

  gatewayDown(gateway: number): Promise<void> {
    return this.#gateways.down(gateway);
  }

  async open(request: OpenRequest): Promise<Opened> {
    if (this.#stage !== "live") throw notRunning();
    // Asked here too: one that is down must not make the present owner stop.
    if (this.#gateways.peer(request.gateway) === undefined) throw notAlive();
    return this.#claims.open(request);
  }

  async release(request: ReleaseRequest): Promise<void> {
    await this.#propose({ type: "release", request });
  }

  subscribe(request: SubscribeRequest): Promise<SubscribeResult> {
    if (this.#stage !== "live") return Promise.reject(notRunning());
    return this.#subscribing.subscribe(request);
  }

  async unsubscribe(request: UnsubscribeRequest): Promise<readonly boolean[]> {
    const existed = await this.#propose({ type: "unsubscribe", request });
    if (existed === undefined) throw new SessionError("stale", "somebody else has the session");
    return existed;
  }

  async progress(batch: readonly Progress[]): Promise<void> {
    await Promise.all(
      inParts(batch).map((part) => this.#propose({ type: "progress", batch: part })),
    );
  }

  async deliveries(batch: readonly DeliveryChanges[]): Promise<void> {
    await Promise.all(
      inParts(batch).map((part) => this.#propose({ type: "deliveries", batch: part })),
    );
  }

  counts(): SessionCounts {
    return this.#replica.state.counts();
  }

  /** Effects take notes only; what they lead to is begun when their batch is applied. */
  #effects(): EffectSink {
    return {
      route: (filter, add) => this.#routes.add({ filter, add }),
      deadline: (incarnation, at) => this.#deadlines.set(incarnation, at),
      released: (clientId) => this.#claims.released(clientId),
      willPending: (will) => this.#wills.add(will),
      ended: (incarnation) => this.#cleanup.add(incarnation),
    };
  }

  #afterBatch(): void {
    if (this.#stage !== "live") return;
    this.#routes.flush();
    this.#wills.flush();
    this.#cleanup.flush();
    this.#deadlines.arm();
  }

  #willsDone(incarnation: number): void {
    this.#cleanup.idle(incarnation);
    if (this.#stage === "live") this.#cleanup.flush();
  }
}

/** A command is applied in one go, so one for very many sessions would hold up everything else. */
function inParts<T>(batch: readonly T[]): (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let i = 0; i < batch.length; i += PART) parts.push(batch.slice(i, i + PART));
  return parts;
}

function openLog(options: SessionServiceOptions, machine: Replica, maxWaiting: number): LocalLog {
  const { directory, logger, durability, disk } = options;
  const snapshotEvery = options.snapshotEvery ?? SNAPSHOT_EVERY;
  return new LocalLog({
    directory,
    machine,
    logger,
    durability,
    snapshotEvery,
    maxWaiting,
    ...(disk && { disk }),
  });
}

function notRunning(): SessionError {
  return new SessionError("closed", "the session service is not running");
}

function notAlive(): SessionError {
  return new SessionError("stale", "the gateway is down or not known");
}
