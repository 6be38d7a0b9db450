/**
 * What the leader of a group does so that the group has the replicas that the control log wants, and is
 * led where it should be: it looks, takes the next step, and looks again. Nothing of it is handed to the
 * next leader, who looks for itself.
 */
import type { Clock, Logger, Timer, Timers } from "@canopy/base";
import {
  type GroupMembers,
  type MemberStep,
  nextMemberStep,
  type ReadonlyView,
} from "@canopy/control";
import type { MembersAnswer, RaftGroup } from "@canopy/raft";
import { Attention } from "./attention.ts";

export interface KeepingOptions {
  /** ms between two looks; what the control log says is looked at when it comes. */
  readonly look: number;
  /** For so long, in ms, a leadership stays where it is though it should be elsewhere. */
  readonly quiet: number;
  /** Of the control group: whether all other groups are without this replica. */
  readonly mayRemove: (replica: number) => boolean;
}

export const KEEPING: Pick<KeepingOptions, "look" | "quiet"> = { look: 500, quiet: 10_000 };

/** ms: who could not be added is not asked again before that, and who could not lead neither. */
const PAUSE = 5_000;

interface Parts extends KeepingOptions {
  readonly group: RaftGroup;
  readonly view: Pick<ReadonlyView, "nodeEntries" | "listen">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** What others may know of it. */
export interface Keeper {
  /** What is being done or waited for; undefined where all is as it should be. */
  readonly step: MemberStep | undefined;
  /** Whether a replica has answered of late. */
  isActive(replica: number): boolean;
}

type Taken = Exclude<MemberStep, { type: "wait" }>;

export class GroupKeeper implements Keeper {
  readonly #parts: Parts;
  readonly #attention = new Attention();
  readonly #unlisten: () => void;
  /** Node → until when it is left alone. */
  readonly #unreachable = new Map<string, number>();
  #step: MemberStep | undefined;
  /** Since when the leadership should be where it is not. */
  #wrong: { readonly replica: number; readonly since: number } | undefined;
  #noTransferBefore = 0;
  #isBusy = false;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#unlisten = parts.view.listen((changes) => {
      if (changes.some(({ change }) => change.type === "node")) void this.#look();
    });
    void this.#look();
  }

  isActive(replica: number): boolean {
    return this.#attention.isActive(replica);
  }

  get step(): MemberStep | undefined {
    return this.#step;
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten();
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    if (this.#stopped || this.#isBusy) return;
    this.#timer?.cancel();
    const step = this.#next();
    this.#step = step;
    if (step !== undefined && this.#isDue(step)) {
      this.#isBusy = true;
      await this.#take(step);
      this.#isBusy = false;
    }
    if (this.#stopped) return;
    this.#timer = this.#parts.timers.set(this.#parts.look, () => void this.#look());
  }

  #next(): MemberStep | undefined {
    const { group, view, clock, mayRemove } = this.#parts;
    const now = clock.now();
    const { status } = group;
    for (const [node, until] of this.#unreachable) if (until <= now) this.#unreachable.delete(node);
    this.#attention.look(status, now);
    const { voters, outgoing, learners, learnersNext, highest } = status.configuration;
    const of = (ids: readonly number[]) =>
      ids.map((replica) => this.#attention.member(replica, status));
    const members: GroupMembers = {
      group: group.id,
      self: status.replica,
      voters: of(voters),
      learners: of(learners),
      isChanging: outgoing.length + learnersNext.length > 0,
      highest,
    };
    const unreachable = new Set(this.#unreachable.keys());
    return nextMemberStep(view.nodeEntries(), members, { unreachable, mayRemove });
  }

  #isDue(step: MemberStep): step is Taken {
    const now = this.#parts.clock.now();
    if (step.type === "wait") return false;
    if (step.type !== "transfer") return true;
    if (now < this.#noTransferBefore) return false;
    if (step.urgent) return true;
    if (this.#wrong?.replica !== step.replica) this.#wrong = { replica: step.replica, since: now };
    return now - this.#wrong.since >= this.#parts.quiet;
  }

  async #take(step: Taken): Promise<void> {
    const { group, clock, logger } = this.#parts;
    const fields = { group: group.id, ...step };
    logger.info(fields, "the group's members are being changed");
    const answer = await this.#ask(step);
    if (answer.type === "done") return;
    const until = clock.now() + PAUSE;
    if (step.type === "add" && answer.type === "refused") this.#unreachable.set(step.node, until);
    if (step.type === "transfer") {
      this.#wrong = undefined;
      this.#noTransferBefore = until;
    }
    const reason = "message" in answer ? answer.message : answer.type;
    logger.warn({ ...fields, reason }, "the group's members could not be changed");
  }

  #ask(step: Taken): Promise<MembersAnswer> {
    const { group } = this.#parts;
    const { replica: id } = step;
    switch (step.type) {
      case "add":
        return group.changeMembers([{ type: "addLearner", id, node: step.node }]);
      case "promote":
      case "remove":
        return group.changeMembers([{ type: step.type, id }]);
      case "transfer":
        return group.transferLeadership(id);
    }
  }
}
