import { type Clock, Deferred, type Timer, type Timers } from "@canopy/base";
import {
  type GatewayPeer,
  type Opened,
  type OpenRequest,
  type OpenResult,
  SessionError,
  type SessionState,
  type SessionView,
} from "@canopy/session";
import { isIndeterminate } from "./errors.ts";

export interface ClaimOptions {
  /** How often the present owner is asked to stop, ms. */
  readonly repeat: number;
  /** How long a claim waits for it, ms. */
  readonly timeout: number;
  /** After so long, in ms, a gateway that does not give up a session is reported, at each repeat. */
  readonly patience: number;
  /** Claims that may be under way. */
  readonly maxWaiting: number;
}

interface Parts extends ClaimOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly state: () => SessionState;
  readonly peer: (gateway: number) => GatewayPeer | undefined;
  /** The gateway has not given up a session for longer than `patience`. */
  readonly accuse: (gateway: number) => void;
  readonly open: (request: OpenRequest) => Promise<OpenResult>;
  /** Releases what an open may have opened or may yet open. Settles when it is done; never rejects. */
  readonly undo: (request: OpenRequest) => Promise<unknown>;
}

/** Who wants a client identifier's session. */
interface Claim {
  readonly request: OpenRequest;
  readonly answer: Deferred<Opened>;
}

/** What goes on about one client identifier. */
interface Contest {
  /** The last one that came; earlier ones that waited have been refused. */
  claim: Claim | undefined;
  /** The command of an earlier claim is on its way: that can't be taken back. */
  opening: boolean;
  /** It may have been opened, and nobody was told: until it is released nobody else comes in. */
  uncertain: boolean;
  /** Who was asked to give the session up, which opening of it, and since when. */
  owner: number;
  epoch: number;
  since: number;
  /** Asks the owner again. */
  repeat: Timer | undefined;
  /** Gives up on the owner. */
  deadline: Timer | undefined;
}

/**
 * Opens sessions, one at a time per client identifier. Who has the session is asked to stop, and
 * is out when its release (or its gateway's end) is committed [MQTT-3.1.4-3]. The last claim wins.
 */
export class Claims {
  readonly #parts: Parts;
  readonly #contests = new Map<string, Contest>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  open(request: OpenRequest): Promise<Opened> {
    const answer = new Deferred<Opened>();
    let contest = this.#contests.get(request.clientId);
    if (contest === undefined) {
      if (this.#contests.size >= this.#parts.maxWaiting) {
        return Promise.reject(new SessionError("overloaded", "too many clients connect at once"));
      }
      contest = {
        claim: undefined,
        opening: false,
        uncertain: false,
        owner: 0,
        epoch: 0,
        since: 0,
        repeat: undefined,
        deadline: undefined,
      };
      this.#contests.set(request.clientId, contest);
    }
    if (contest.uncertain) return Promise.reject(uncertain());
    contest.claim?.answer.reject(new SessionError("taken-over", "a later connection came first"));
    contest.claim = { request, answer };
    // The new claim has its own time.
    contest.deadline?.cancel();
    contest.deadline = undefined;
    if (!contest.opening) this.#advance(contest, contest.claim);
    return answer.promise;
  }

  /** No gateway has this client's session any more. Called while a command is applied. */
  released(clientId: string): void {
    const contest = this.#contests.get(clientId);
    if (contest === undefined || contest.opening || contest.claim === undefined) return;
    const { claim } = contest;
    queueMicrotask(() => {
      if (contest.claim === claim && !contest.opening) this.#advance(contest, claim);
    });
  }

  /** A gateway can be asked from now on: those that wait for it ask at once. */
  attached(gateway: number): void {
    for (const [clientId, contest] of this.#contests) {
      if (contest.opening || contest.claim === undefined) continue;
      if (this.#parts.state().sessionOf(clientId)?.gateway === gateway) {
        this.#advance(contest, contest.claim);
      }
    }
  }

  /** Claims that wait are told why. One whose command is on its way is told by that what became of it. */
  stop(why: SessionError): void {
    for (const contest of this.#contests.values()) {
      clearTimers(contest);
      contest.claim?.answer.reject(why);
      contest.claim = undefined;
    }
    this.#contests.clear();
  }

  /** Opens the session if it is free, else asks its owner to give it up. */
  #advance(contest: Contest, claim: Claim): void {
    contest.repeat?.cancel();
    contest.repeat = undefined;
    const session = this.#parts.state().sessionOf(claim.request.clientId);
    if (session === undefined || session.gateway === 0 || isOf(session, claim.request)) {
      void this.#open(contest, claim);
      return;
    }
    contest.deadline ??= this.#parts.timers.set(this.#parts.timeout, () => this.#giveUp(contest));
    contest.repeat = this.#parts.timers.set(this.#parts.repeat, () => {
      if (contest.claim !== undefined && !contest.opening) this.#advance(contest, contest.claim);
    });
    this.#watch(contest, session);
    // Without a peer its gateway has not attached to this leader yet, or it is gone, and the release of
    // its sessions is under way.
    const peer = this.#parts.peer(session.gateway);
    peer?.stop(session.incarnation, session.epoch, "taken-over");
  }

  /** No claim outlasts a lease: who does not answer it loses his. */
  #watch(contest: Contest, { gateway, epoch }: SessionView): void {
    const { clock, patience, accuse } = this.#parts;
    const now = clock.now();
    if (contest.owner !== gateway || contest.epoch !== epoch) {
      Object.assign(contest, { owner: gateway, epoch, since: now });
    } else if (now - contest.since >= patience) {
      accuse(gateway);
    }
  }

  async #open(contest: Contest, claim: Claim): Promise<void> {
    contest.claim = undefined;
    contest.opening = true;
    clearTimers(contest);
    let again = false;
    try {
      const result = await this.#parts.open(claim.request);
      again = result.status === "held";
      if (!again) settle(claim, result);
    } catch (error) {
      claim.answer.reject(error);
      if (isIndeterminate(error)) await this.#undo(contest, claim);
    }
    // Who has just been answered hears of it before a later claim asks it to stop.
    if (contest.claim !== undefined) await new Promise((resolve) => setImmediate(resolve));
    contest.opening = false;
    if (this.#contests.get(claim.request.clientId) === contest) this.#next(contest, claim, again);
  }

  async #undo(contest: Contest, { request }: Claim): Promise<void> {
    contest.claim?.answer.reject(uncertain());
    contest.claim = undefined;
    contest.uncertain = true;
    await this.#parts.undo(request);
    contest.uncertain = false;
  }

  /** A later claim goes on, or this one if somebody was faster; else all is done. */
  #next(contest: Contest, claim: Claim, again: boolean): void {
    if (again && contest.claim === undefined) {
      contest.claim = claim;
    } else if (again) {
      claim.answer.reject(new SessionError("taken-over", "a later connection came first"));
    }
    if (contest.claim !== undefined) this.#advance(contest, contest.claim);
    else this.#end(contest, claim);
  }

  #giveUp(contest: Contest): void {
    const { claim } = contest;
    contest.deadline = undefined;
    // With a command on its way it is the log that answers.
    if (claim === undefined || contest.opening) return;
    contest.claim = undefined;
    claim.answer.reject(new SessionError("unavailable", "the session's owner does not release it"));
    this.#end(contest, claim);
  }

  #end(contest: Contest, { request }: Claim): void {
    clearTimers(contest);
    if (this.#contests.get(request.clientId) === contest) this.#contests.delete(request.clientId);
  }
}

/** The session is this request's already: its answer was lost. */
function isOf({ gateway, requestId }: SessionView, request: OpenRequest): boolean {
  return requestId !== 0 && gateway === request.gateway && requestId === request.requestId;
}

function clearTimers(contest: Contest): void {
  contest.repeat?.cancel();
  contest.deadline?.cancel();
  contest.repeat = undefined;
  contest.deadline = undefined;
}

function settle(claim: Claim, result: OpenResult): void {
  if (result.status === "opened") claim.answer.resolve(result.opened);
  else claim.answer.reject(new SessionError("stale", "the gateway is gone"));
}

function uncertain(): SessionError {
  return new SessionError(
    "unavailable",
    "it is not known yet what became of an earlier connection",
  );
}
