/**
 * What the leader of the group does by itself and for its callers, from the moment in which it leads
 * until that ends. The next leadership, here or elsewhere, begins anew from the state.
 */
import type { Clock, Logger, Timers } from "@canopy/base";
import type {
  EffectSink,
  OpenRequest,
  RouteSink,
  RouteVersion,
  SessionError,
  SessionState,
  WithdrawRequest,
} from "@canopy/session";
import { Background } from "./background.ts";
import { Claims } from "./claims.ts";
import { Cleanup } from "./cleanup.ts";
import { Deadlines } from "./deadlines.ts";
import { Gateways } from "./gateways.ts";
import type { GroupClock } from "./group-clock.ts";
import { inSlices } from "./in-slices.ts";
import type { Propose } from "./proposing.ts";
import { RouteStream } from "./route-stream.ts";
import { Subscribing } from "./subscribing.ts";
import { WillPublisher } from "./will-publisher.ts";

export interface LeadingParts {
  readonly group: number;
  readonly term: number;
  readonly clock: Clock;
  readonly groupClock: GroupClock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly sink: RouteSink;
  readonly state: () => SessionState;
  readonly propose: Propose;
  readonly shards: number;
  readonly maxWaiting: number;
  /** How often, and how long at most, the owner of a claimed session is asked, ms. */
  readonly claimRepeat: number;
  readonly claimTimeout: number;
}

export class Leading {
  readonly gateways: Gateways;
  readonly claims: Claims;
  readonly subscribing: Subscribing;
  readonly propose: Propose;
  readonly #state: () => SessionState;
  readonly #background: Background;
  readonly #routes: RouteStream;
  readonly #wills: WillPublisher;
  readonly #cleanup: Cleanup;
  readonly #deadlines: Deadlines;
  #end: SessionError | undefined;

  constructor(parts: LeadingParts) {
    const { clock, groupClock, timers, logger, sink, state, shards, maxWaiting } = parts;
    const propose: Propose = (proposal) =>
      this.#end === undefined ? parts.propose(proposal) : Promise.reject(this.#end);
    const background = new Background(clock, timers, logger);
    this.#state = state;
    this.propose = propose;
    this.#background = background;
    this.#routes = new RouteStream({ sink, background, group: parts.group, term: parts.term });
    this.#wills = new WillPublisher({
      group: parts.group,
      term: parts.term,
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
    this.gateways = new Gateways({ state, propose, background });
    this.claims = new Claims({
      timers,
      state,
      maxWaiting,
      repeat: parts.claimRepeat,
      timeout: parts.claimTimeout,
      peer: (gateway) => this.gateways.peer(gateway),
      open: (request) => propose({ type: "open", request }),
      undo: (request) => this.#undo(request),
    });
    this.subscribing = new Subscribing({ shards, sink, routes: this.#routes, propose, maxWaiting });
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
   * With the effects live already. Settles when everything that waits in the state is under way and
   * what gateways of earlier leaderships held is released, or when the leadership has ended.
   */
  async begin(): Promise<void> {
    const state = this.#state();
    this.#routes.begin(state.routes());
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
      this.gateways.allDown(),
    ]);
    this.afterBatch();
  }

  afterBatch(): void {
    if (this.#end !== undefined) return;
    this.#routes.flush();
    this.#wills.flush();
    this.#cleanup.flush();
    this.#deadlines.arm();
  }

  /** The place in the stream of routes at which the state is now. */
  get routesTold(): RouteVersion {
    return this.#routes.version;
  }

  /** See Sessions.withdraw. */
  async withdraw({ clientId, gateway }: WithdrawRequest): Promise<void> {
    await this.#undo({ clientId, gateway });
    if (this.#end !== undefined) throw this.#end;
  }

  /** No timer remains, and who waits is told why. */
  end(why: SessionError): void {
    this.#end = why;
    this.#background.stop();
    this.#deadlines.stop();
    this.claims.stop(why);
    this.subscribing.stop(why);
  }

  #willsDone(incarnation: number): void {
    this.#cleanup.idle(incarnation);
    if (this.#end === undefined) this.#cleanup.flush();
  }

  /**
   * Nobody was told of what this open may have opened, so it is given back: without its will, as a
   * connection that was not accepted has none. Whether the session is the gateway's is known as soon
   * as any later command is committed; it is this open's then, since no other of the same client was
   * let through meanwhile.
   */
  #undo({ clientId, gateway }: Pick<OpenRequest, "clientId" | "gateway">): Promise<boolean> {
    return this.#background.until("taking back what an open may have opened", async () => {
      await this.propose({ type: "tick" });
      const session = this.#state().sessionOf(clientId);
      if (session?.gateway !== gateway) return;
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
    });
  }
}
