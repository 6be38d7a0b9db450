/**
 * What the leader of the control group does by itself: it looks at the state and its leases, and
 * proposes what is missing; again at the next look, if that failed. So nothing is lost with a
 * proposal, and the next leader goes on by looking.
 */
import type { Clock, Logger, Timer, Timers } from "@canopy/base";
import {
  type Command,
  ControlError,
  type ControlState,
  type Founder,
  type Incarnation,
} from "@canopy/control";
import type { Leases } from "./leases.ts";
import type { Placing } from "./placing.ts";
import type { Committed, Propose } from "./proposing.ts";

/** Leases and what failed are looked at so often, ms; everything else when it happens. */
const LOOK = 100;
/** A look that comes so much too late, ms, says that this process stood still. */
const STALL = 500;

interface Parts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly state: () => ControlState;
  readonly leases: Leases;
  readonly placing: Placing;
  readonly propose: Propose;
  readonly shards: number;
  readonly groups: number;
  /** Another leader may hear more; false where that was tried already, or there is nobody. */
  readonly giveUp: () => boolean;
  /** The first voters of the group. */
  readonly founders: () => readonly Founder[];
  /** No group has this replica any more. */
  readonly hasLeft: (replica: number) => boolean;
}

export class Duties {
  readonly #parts: Parts;
  /** What was proposed and is not answered yet. */
  readonly #underWay = new Set<string>();
  readonly #ending = new Set<Incarnation>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Its end is on its way: it can't be taken back, so its lease is not extended any more. */
  isEnding(incarnation: Incarnation): boolean {
    return this.#ending.has(incarnation);
  }

  /** To be called when the state, or what leases know, has changed. */
  look(): void {
    if (this.#stopped) return;
    const { clock, state, leases } = this.#parts;
    const now = clock.now();
    leases.follow(state().view.members(), now);
    if (state().view.shards === 0) {
      this.#create();
    } else {
      this.#followNodes();
      this.#end(now);
      this.#giveUpSessions();
      this.#place(now);
    }
    if (!leases.endless || this.#isUnsettled()) this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** With leases that never end, time brings nothing but another try. */
  #isUnsettled(): boolean {
    const { state } = this.#parts;
    return (
      this.#underWay.size > 0 ||
      this.#areNodesUnsettled() ||
      state()
        .view.places()
        .some(({ owner }) => owner === 0)
    );
  }

  #areNodesUnsettled(): boolean {
    const nodes = [...this.#parts.state().view.nodeEntries()];
    return nodes.length === 0 || nodes.some(({ standing }) => standing === "leaving");
  }

  #arm(): void {
    const { clock, timers, leases } = this.#parts;
    const due = clock.now() + LOOK;
    this.#timer ??= timers.set(LOOK, () => {
      this.#timer = undefined;
      const now = clock.now();
      if (now - due >= STALL) leases.pardon(now);
      this.look();
    });
  }

  #create(): void {
    const { shards, groups } = this.#parts;
    this.#do("create", { type: "create", shards, groups });
  }

  #followNodes(): void {
    const { state, founders, hasLeft } = this.#parts;
    const nodes = [...state().view.nodeEntries()];
    if (nodes.length === 0) this.#do("founders", { type: "founders", founders: founders() });
    for (const { name, replica, standing } of nodes) {
      if (standing !== "leaving" || !hasLeft(replica)) continue;
      this.#do(`left ${name}`, { type: "node-left", name, replica });
    }
  }

  #end(now: number): void {
    const { state, leases, logger, giveUp } = this.#parts;
    const { view } = state();
    for (const incarnation of this.#ending) {
      if (view.member(incarnation) === undefined) this.#ending.delete(incarnation);
    }
    const due = leases.due(now).filter((incarnation) => !this.#ending.has(incarnation));
    if (due.length > 0 && leases.missesMostGateways(now) && giveUp()) return;
    for (const incarnation of due) {
      this.#ending.add(incarnation);
      const { kind, name } = view.member(incarnation) ?? {};
      logger.warn({ kind, name, incarnation }, "a member's lease has ended");
    }
    // Also those whose proposal has failed.
    for (const incarnation of this.#ending) {
      const isStore = view.member(incarnation)?.kind === "store";
      const type = isStore ? "store-down" : "gateway-down";
      this.#do(`${type} ${incarnation}`, { type, incarnation });
    }
  }

  /** The second step of a gateway's end. */
  #giveUpSessions(): void {
    const { state, leases } = this.#parts;
    for (const { incarnation, since } of state().view.down()) {
      if (!leases.allAcknowledged("store", since)) continue;
      this.#do(`gone ${incarnation}`, { type: "gateway-gone", incarnation });
    }
  }

  #place(now: number): void {
    const { placing, clock } = this.#parts;
    if (this.#underWay.has("assign")) return;
    const { assignments, isMove } = placing.next(now);
    if (assignments.length === 0) return;
    this.#do("assign", { type: "assign", assignments }, ({ version }) => {
      if (isMove) placing.moved(version, clock.now());
    });
  }

  #do(key: string, command: Command, then?: (committed: Committed<unknown>) => void): void {
    if (this.#underWay.has(key)) return;

    this.#underWay.add(key);
    void this.#propose(key, command, then);
  }

  async #propose(
    key: string,
    command: Command,
    then: ((committed: Committed<unknown>) => void) | undefined,
  ): Promise<void> {
    try {
      const committed = await this.#parts.propose(command);
      then?.(committed);
    } catch (error) {
      const isExpected = error instanceof ControlError;
      // Leadership ends, or the disk is slow: the next look, here or elsewhere, does it.
      if (!isExpected) this.#parts.logger.error({ error: String(error) }, `control: ${key} failed`);
    }
    this.#underWay.delete(key);
  }
}
