/**
 * What the leader of the control group does for its callers and by itself, from the moment in which it
 * leads until that ends. Nothing of it is handed to the next: leases begin anew.
 */
import type { Clock, Logger, Timers } from "@canopy/base";
import {
  type Announced,
  type Announcement,
  type AttendSink,
  type Ban,
  type Command,
  ControlError,
  type ControlState,
  type Founder,
  type Incarnation,
  type Joined,
  type JoinRequest,
  type LeaseInfo,
  type NodeWish,
  type Refused,
  type Renewal,
  type Version,
  type Watch,
} from "@canopy/control";
import type { ReadAnswer } from "@canopy/raft";
import { Attendance } from "./attendance.ts";
import { Duties } from "./duties.ts";
import { memberEnded } from "./errors.ts";
import { InForce } from "./in-force.ts";
import { Lateness } from "./lateness.ts";
import { type LeaseOptions, Leases } from "./leases.ts";
import { Placing, type PlacingOptions } from "./placing.ts";
import type { Propose } from "./proposing.ts";
import { Renewals } from "./renewals.ts";

export interface LeadingOptions extends LeaseOptions, PlacingOptions {
  readonly shards: number;
  readonly groups: number;
  /** How long a member may take to obey a change, ms. */
  readonly patience: number;
}

export interface LeadingParts {
  readonly options: LeadingOptions;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly state: () => ControlState;
  readonly propose: Propose;
  readonly read: () => Promise<ReadAnswer>;
  readonly giveUp: () => boolean;
  /** The first voters of the group. */
  readonly founders: () => readonly Founder[];
  /** No group has this replica any more. */
  readonly hasLeft: (replica: number) => boolean;
}

export class Leading {
  readonly #parts: LeadingParts;
  readonly #propose: Propose;
  readonly #leases: Leases;
  readonly #lateness: Lateness;
  readonly #duties: Duties;
  readonly #renewals: Renewals;
  readonly #attendance: Attendance;
  readonly #inForce: InForce;
  #end: ControlError | undefined;

  constructor(parts: LeadingParts) {
    const { options, clock, timers, logger, state } = parts;
    const propose: Propose = (command) =>
      this.#end === undefined ? parts.propose(command) : Promise.reject(this.#end);
    const leases = new Leases(options, clock.now());
    const lateness = new Lateness(options.patience);
    const placing = new Placing({ ...options, state, leases });
    const { shards, groups } = options;
    const duties = new Duties({
      clock,
      timers,
      logger,
      state,
      leases,
      placing,
      propose,
      shards,
      groups,
      giveUp: parts.giveUp,
      founders: parts.founders,
      hasLeft: parts.hasLeft,
    });
    this.#parts = parts;
    this.#propose = propose;
    this.#leases = leases;
    this.#lateness = lateness;
    this.#duties = duties;
    this.#renewals = new Renewals({
      clock,
      state,
      leases,
      lateness,
      duties,
      onAcknowledged: () => this.#look(),
      read: parts.read,
    });
    this.#attendance = new Attendance({ clock, state, leases });
    this.#inForce = new InForce(state, leases);
  }

  begin(): void {
    this.applied();
  }

  applied(): void {
    const { clock, state } = this.#parts;
    this.#lateness.note(state().version, clock.now());
    this.#look();
    this.#attendance.follow();
  }

  /** No timer remains, and who waits is told why. */
  end(why: ControlError): void {
    this.#end = why;
    this.#duties.stop();
    this.#renewals.stop(why);
    this.#attendance.stop(why);
    this.#inForce.stop(why);
  }

  async join(request: JoinRequest): Promise<Joined> {
    const { result } = await this.#propose({ type: "join", ...request });
    if ("refused" in result) throw new ControlError("refused", result.refused);
    return { incarnation: result.incarnation, lease: this.#parts.options.lease };
  }

  async renew(renewal: Renewal): Promise<void> {
    await this.#renewals.renew(renewal);
  }

  async leave(incarnation: Incarnation): Promise<void> {
    const member = this.#parts.state().view.member(incarnation);
    if (member === undefined) return;
    const type = member.kind === "store" ? "store-down" : "gateway-down";
    await this.#propose({ type, incarnation });
  }

  attend(incarnation: Incarnation, sink: AttendSink): Watch {
    return this.#attendance.attend(incarnation, sink);
  }

  async reopen(incarnation: Incarnation, shard: number): Promise<number> {
    const { result } = await this.#propose({ type: "reopen", incarnation, shard });
    if ("epoch" in result) return result.epoch;
    if (this.#parts.state().view.member(incarnation) === undefined) throw memberEnded(incarnation);
    throw new ControlError("refused", result.refused);
  }

  ban(ban: Ban): Promise<Version> {
    return this.#change({ type: "ban", ban, wall: this.#parts.clock.wall() });
  }

  unban(kind: Ban["kind"], value: string): Promise<Version> {
    return this.#change({ type: "unban", kind, value });
  }

  async announce(node: Announcement): Promise<Announced> {
    const { result, version } = await this.#propose({ type: "node", ...node });
    if ("refused" in result) throw new ControlError("refused", result.refused);
    return { version, replica: result.replica };
  }

  accuse(gateway: Incarnation): void {
    this.#leases.accuse(gateway, this.#parts.clock.now());
  }

  wish(wish: NodeWish): Promise<Version> {
    return this.#change({ type: "node-wish", ...wish });
  }

  leases(): readonly LeaseInfo[] {
    return this.#leases.list(this.#parts.clock.now());
  }

  inForce(version: Version): Promise<void> {
    return this.#inForce.reached(version);
  }

  async #change(
    command: Extract<Command, { type: "ban" | "unban" | "node-wish" }>,
  ): Promise<Version> {
    const { result, version } = await this.#propose(command);
    const refused: Refused | undefined = result;
    if (refused !== undefined) throw new ControlError("refused", refused.refused);
    return version;
  }

  #look(): void {
    this.#duties.look();
    this.#inForce.look();
  }
}
