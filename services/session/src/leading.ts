/**
 * What the leader of the group does by itself and for its callers, from the moment in which it leads
 * until that ends. The next leadership, here or elsewhere, begins anew from the state.
 */
import type { Clock, Logger, Timers } from "@canopy/base";
import type { Member } from "@canopy/control";
import {
  type EffectSink,
  type OpenRequest,
  type RouteSink,
  type RouteVersion,
  SessionError,
  type SessionState,
  type WillPublication,
  type WithdrawRequest,
} from "@canopy/session";
import { Accusing } from "./accusing.ts";
import { Background } from "./background.ts";
import { Claims } from "./claims.ts";
import { Cleanup } from "./cleanup.ts";
import { Deadlines } from "./deadlines.ts";
import { Gateways } from "./gateways.ts";
import type { GroupClock } from "./group-clock.ts";
import { Heads } from "./heads.ts";
import { inSlices } from "./in-slices.ts";
import { Membership } from "./membership.ts";
import type { Propose } from "./proposing.ts";
import { Routes } from "./routes.ts";
import { type Cluster, Stores } from "./stores.ts";
import { Subscribing } from "./subscribing.ts";
import { WillPublisher } from "./will-publisher.ts";
import { shardOfWill } from "./will-topic.ts";

export interface LeadingParts {
  readonly group: number;
  readonly term: number;
  readonly clock: Clock;
  readonly groupClock: GroupClock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly cluster: Cluster;
  readonly store: (member: Member) => RouteSink;
  readonly state: () => SessionState;
  readonly propose: Propose;
  readonly shards: number;
  readonly maxWaiting: number;
  /** How often, and how long at most, the owner of a claimed session is asked, ms. */
  readonly claimRepeat: number;
  readonly claimTimeout: number;
  /** See ClaimOptions. */
  readonly claimPatience: number;
  /** See Control.accuse. */
  readonly accuse: (gateway: number) => void;
  /** Lets another node lead; false where that was tried already, or there is nobody. */
  readonly giveUp: () => boolean;
}

export class Leading {
  readonly gateways: Gateways;
  readonly claims: Claims;
  readonly subscribing: Subscribing;
  readonly propose: Propose;
  readonly #state: () => SessionState;
  readonly #background: Background;
  readonly #membership: Membership;
  readonly #stores: Stores;
  readonly #routes: Routes;
  readonly #wills: WillPublisher;
  readonly #cleanup: Cleanup;
  readonly #deadlines: Deadlines;
  readonly #cluster: Cluster;
  readonly #shards: number;
  /** Versions of the control log, of the state and of this node, that stores and gateways are as of. */
  #known = -1;
  #seen = -1;
  readonly #unlisten: () => void;
  #end: SessionError | undefined;

  constructor(parts: LeadingParts) {
    const { group, term, clock, groupClock, timers, logger, cluster, state, shards } = parts;
    const { maxWaiting } = parts;
    const propose: Propose = (proposal) =>
      this.#end === undefined ? parts.propose(proposal) : Promise.reject(this.#end);
    const background = new Background(clock, timers, logger);
    this.#state = state;
    this.#cluster = cluster;
    this.#shards = shards;
    this.propose = propose;
    this.#background = background;
    this.#membership = new Membership({ cluster, state, propose, background });
    this.#routes = new Routes({ group, term, background, routes: () => state().routes() });
    this.#stores = new Stores({
      cluster,
      sink: parts.store,
      onUp: (link) => this.#routes.up(link),
      onDown: (link) => this.#routes.down(link),
    });
    this.#wills = new WillPublisher({
      group,
      term,
      publish: (will) => this.#publishWill(will),
      clock,
      logger,
      propose,
      background,
      onIdle: (incarnation) => this.#willsDone(incarnation),
    });
    const isBusy = (incarnation: number) => this.#wills.isBusy(incarnation);
    const live = () => this.#stores.live();
    this.#cleanup = new Cleanup({ stores: live, propose, background, isBusy });
    this.#deadlines = new Deadlines({ clock: groupClock, timers, state, propose, background });
    const onAttached = (gateway: number) => this.claims.attached(gateway);
    this.gateways = new Gateways({ state, propose, background, onAttached });
    const { accuse: report, giveUp } = parts;
    const gateways = () => [...state().gateways()].length;
    const accusing = new Accusing({ clock, gateways, report, giveUp });
    this.claims = new Claims({
      timers,
      state,
      maxWaiting,
      clock,
      repeat: parts.claimRepeat,
      timeout: parts.claimTimeout,
      patience: parts.claimPatience,
      accuse: (gateway) => accusing.note(gateway),
      peer: (gateway) => this.gateways.peer(gateway),
      open: (request) => propose({ type: "open", request }),
      undo: (request) => this.#undo(request),
    });
    const heads = new Heads({ clock, shards, stores: this.#stores, background });
    this.subscribing = new Subscribing({ heads, routes: this.#routes, propose, maxWaiting });
    this.#unlisten = cluster.listen((changes, version) => {
      this.#membership.changed(changes, version);
      void this.#membership.follow();
      this.afterBatch();
      const isOwned = changes.some(
        ({ change }) => change.type === "shard" && change.place.owner > 0,
      );
      if (isOwned) this.#wills.owned();
    });
  }

  /** Take notes only; what they lead to is begun when their batch is applied. */
  readonly effects: EffectSink = {
    route: (filter, add) => this.#routes.add({ filter, add }),
    deadline: (incarnation, at) => this.#deadlines.set(incarnation, at),
    released: (clientId) => this.claims.released(clientId),
    willPending: (will) => this.#wills.add(will),
    ended: (incarnation) => this.#cleanup.add(incarnation),
  };

  /**
   * With the effects live already. Settles when everything that waits in the state is under way, the
   * group knows what this node knows of the cluster, and no session belongs to a gateway that is gone;
   * or when the leadership has ended.
   */
  async begin(): Promise<void> {
    const state = this.#state();
    // At once: those that follow for the same session come behind them.
    for (const will of state.pendingWills()) this.#wills.add(will);
    this.afterBatch();
    const ended = () => this.#background.stopped;
    const add = (incarnation: number) => this.#cleanup.add(incarnation);
    await Promise.all([
      inSlices(state.ended(), add, ended),
      inSlices(
        state.sessions(),
        ({ incarnation, deadline }) => {
          if (deadline !== 0) this.#deadlines.set(incarnation, deadline);
        },
        ended,
      ),
      this.#membership.follow(),
    ]);
    await this.gateways.releaseOrphans();
    this.afterBatch();
  }

  afterBatch(): void {
    if (this.#end !== undefined) return;
    this.#update();
    this.#routes.flush();
    // One that has seen less than the group does not know the owners of shards yet.
    if (this.#cluster.version >= this.#state().version) this.#wills.flush();
    this.#cleanup.flush();
    this.#deadlines.arm();
  }

  /** The place in the stream of routes at which the state is now. */
  get routesTold(): RouteVersion {
    return this.#routes.version;
  }

  /** See Sessions.withdraw. */
  async withdraw(request: WithdrawRequest): Promise<void> {
    await this.#giveBack(request);
  }

  /** No timer remains, and who waits is told why. */
  end(why: SessionError): void {
    this.#end = why;
    this.#unlisten();
    this.#background.stop();
    this.gateways.stop(why);
    this.#deadlines.stop();
    this.claims.stop(why);
    this.subscribing.stop(why);
  }

  #willsDone(incarnation: number): void {
    this.#cleanup.idle(incarnation);
    if (this.#end === undefined) this.#cleanup.flush();
  }

  /** Stores and gateways as the state and the cluster have them now. */
  #update(): void {
    const state = this.#state();
    const [known, seen] = [state.version, this.#cluster.version];
    if (known === this.#known && seen === this.#seen) return;
    this.#known = known;
    this.#seen = seen;
    this.#stores.update(state.stores());
    this.gateways.update();
  }

  async #publishWill(will: WillPublication): Promise<void> {
    const owner = this.#stores.owner(shardOfWill(will.record, this.#shards));
    if (owner === "nobody" || owner === "not yet") {
      throw new SessionError("unavailable", "nobody owns the shard of the will's topic");
    }
    await owner.call((sink) => sink.publishWill(will));
  }

  /** Nobody was told of what this open may have opened. */
  #undo(request: OpenRequest): Promise<boolean> {
    return this.#background.until("taking back what an open may have opened", () =>
      this.#giveBack(request),
    );
  }

  /**
   * Released without its will, as a connection that was not accepted has none. Whether the session is
   * that open's is known as soon as any later command is committed.
   */
  async #giveBack({ clientId, gateway, requestId }: WithdrawRequest): Promise<void> {
    await this.propose({ type: "tick" });
    const session = this.#state().sessionOf(clientId);
    if (session?.gateway !== gateway || session.requestId !== requestId) return;
    const { incarnation, epoch } = session;
    const nothing = {
      cursors: [],
      done: [],
      drained: [],
      retainedAfter: [],
      retainedSent: [],
      unfinished: [],
    };
    const request = { incarnation, epoch, will: "drop", expiry: undefined, ...nothing } as const;
    await this.propose({ type: "release", request });
  }
}
