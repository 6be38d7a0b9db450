/** Leases are extended by who can prove that it leads. */
import type { Clock } from "@canopy/base";
import { ControlError, type ControlState, type Renewal } from "@canopy/control";
import type { ReadAnswer } from "@canopy/raft";
import { Turn } from "../turn.ts";
import type { Duties } from "./duties.ts";
import { memberEnded, notLeader, unavailable } from "./errors.ts";
import type { Lateness } from "./lateness.ts";
import type { Leases } from "./leases.ts";

interface Parts {
  readonly clock: Clock;
  readonly state: () => ControlState;
  readonly leases: Leases;
  readonly lateness: Lateness;
  readonly duties: Duties;
  /** Members have acknowledged something. */
  readonly onAcknowledged: () => void;
  /** A round of ReadIndex that begins after this. */
  readonly read: () => Promise<ReadAnswer>;
}

interface Asked {
  readonly renewal: Renewal;
  readonly received: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Renewals {
  readonly #parts: Parts;
  readonly #turn: Turn<Asked>;
  #end: ControlError | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#turn = new Turn((asked) => void this.#answer(asked));
  }

  renew(renewal: Renewal): Promise<void> {
    const { clock, state, leases } = this.#parts;
    if (state().view.member(renewal.incarnation) === undefined) {
      return Promise.reject(memberEnded(renewal.incarnation));
    }
    leases.acknowledge(renewal.incarnation, renewal.acknowledged);
    return new Promise((resolve, reject) => {
      this.#turn.add({ renewal, received: clock.now(), resolve, reject });
    });
  }

  /** Who is not answered yet is told this. */
  stop(why: ControlError): void {
    this.#end = why;
    this.#turn.flush();
  }

  async #answer(asked: readonly Asked[]): Promise<void> {
    try {
      if (this.#end === undefined) {
        this.#parts.onAcknowledged();
        requireReady(await this.#parts.read());
      }
      if (this.#end !== undefined) throw this.#end;
    } catch (error) {
      for (const { reject } of asked) reject(error);
      return;
    }
    for (const one of asked) {
      const error = this.#extend(one);
      if (error === undefined) one.resolve();
      else one.reject(error);
    }
  }

  #extend({ renewal, received }: Asked): ControlError | undefined {
    const { clock, state, leases, lateness, duties } = this.#parts;
    const { incarnation } = renewal;
    if (state().view.member(incarnation) === undefined) return memberEnded(incarnation);
    if (duties.isEnding(incarnation)) return unavailable("this member's end is being committed");
    if (leases.isAccused(incarnation, clock.now())) {
      return unavailable("this gateway does not give up sessions that are claimed by others");
    }
    const acknowledged = leases.acknowledged(incarnation);
    if (lateness.isBehind(acknowledged, clock.now())) {
      const { version } = state();
      return new ControlError("behind", `acknowledged ${acknowledged} of ${version}, for too long`);
    }
    leases.extend(incarnation, received);
    return undefined;
  }
}

function requireReady(answer: ReadAnswer): void {
  switch (answer.type) {
    case "ready":
      return;
    case "notLeader":
      throw notLeader(answer.node);
    case "overloaded":
      throw unavailable("too many renewals wait");
    case "unavailable":
      throw unavailable(answer.message);
  }
}
