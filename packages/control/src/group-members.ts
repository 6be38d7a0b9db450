/**
 * What one group's leader does so that the group has the replicas that the control log wants, and is led
 * where it should be: one step at a time, each from what there is then. So it does not matter who leads
 * at which step, nor what became of the last one.
 */
import type { SessionNode } from "./change.ts";

/** Of one group, as its leader has it. */
export interface GroupMembers {
  /** From 0. */
  readonly group: number;
  /** The replica that leads. */
  readonly self: number;
  /** Of the configuration in force, with the nodes on which they are. */
  readonly voters: readonly GroupMember[];
  readonly learners: readonly GroupMember[];
  /** A change of the members is under way. */
  readonly isChanging: boolean;
  /** The highest id that was ever a member: new ones are above it. */
  readonly highest: number;
}

export interface GroupMember {
  readonly replica: number;
  readonly disk: number;
  /** It answers the leader. */
  readonly active: boolean;
  /** It has what the leader had committed a while ago. */
  readonly caughtUp: boolean;
}

export type MemberStep =
  | { readonly type: "add"; readonly replica: number; readonly node: string }
  | { readonly type: "promote"; readonly replica: number }
  | { readonly type: "remove"; readonly replica: number }
  /** `urgent`: this replica shall not lead; else somebody else should, when all has been quiet for a while. */
  | { readonly type: "transfer"; readonly replica: number; readonly urgent: boolean }
  /** Something is missing that will come, or that somebody has to do. */
  | { readonly type: "wait"; readonly why: string };

export interface StepOptions {
  /** Nodes that could not be added a short while ago. */
  readonly unreachable: ReadonlySet<string>;
  /** Whether replicas of nodes that leave may be taken out: of the control group, when no other has them. */
  readonly mayRemove: (replica: number) => boolean;
}

/** Undefined where all is as it should be. */
export function nextMemberStep(
  nodes: Iterable<SessionNode>,
  group: GroupMembers,
  options: StepOptions,
): MemberStep | undefined {
  const wanted = [...nodes].filter(({ standing }) => standing === "member");
  // Nobody has said yet who created the cluster.
  if (wanted.length === 0) return undefined;
  if (group.isChanging) return { type: "wait", why: "a change of the members is under way" };
  const steps = new Steps(wanted, group, options);
  return steps.removeDead() ?? steps.grow() ?? steps.removeOthers() ?? steps.lead() ?? steps.waits;
}

class Steps {
  readonly #wanted: readonly SessionNode[];
  readonly #group: GroupMembers;
  readonly #options: StepOptions;
  /** By replica. */
  readonly #members: ReadonlyMap<number, GroupMember>;
  readonly #surplus: readonly GroupMember[];
  waits: MemberStep | undefined;
  #isCatchingUp = false;

  constructor(wanted: readonly SessionNode[], group: GroupMembers, options: StepOptions) {
    const disks = new Map(wanted.map(({ replica, disk }) => [replica, disk]));
    const all = [...group.voters, ...group.learners];
    this.#wanted = wanted.toSorted((a, b) => a.replica - b.replica);
    this.#group = group;
    this.#options = options;
    this.#members = new Map(all.map((one) => [one.replica, one]));
    // With another disk it is not the one that was meant.
    this.#surplus = all.filter(({ replica, disk }) => disks.get(replica) !== disk);
  }

  /** They only count against the majority. */
  removeDead(): MemberStep | undefined {
    return this.#remove(this.#surplus.filter(({ active }) => !active));
  }

  removeOthers(): MemberStep | undefined {
    return this.#remove(this.#surplus);
  }

  /** By their ids, as those below one that was added can't be added any more. */
  grow(): MemberStep | undefined {
    const { learners } = this.#group;
    for (const { replica, disk, name } of this.#wanted) {
      const learner = learners.find((one) => one.replica === replica && one.disk === disk);
      if (learner?.active === true && learner.caughtUp) return { type: "promote", replica };
      if (learner !== undefined) {
        this.#isCatchingUp ||= learner.active;
        this.#wait(learner.active ? `${name} has not caught up yet` : `${name} does not answer`);
      }
      if (this.#members.has(replica)) continue;
      if (replica <= this.#group.highest) {
        this.#wait(`the id of ${name} was used up: canopy admin cluster replace ${name}`);
        continue;
      }
      if (!this.#options.unreachable.has(name)) return { type: "add", replica, node: name };
      this.#wait(`${name} does not answer`);
      return undefined;
    }
    return undefined;
  }

  lead(): MemberStep | undefined {
    const replica = this.#wantedLeader();
    if (replica === undefined || replica === this.#group.self) return undefined;
    if (this.#mayLead(this.#group.self)) {
      return this.#isCatchingUp ? undefined : { type: "transfer", replica, urgent: false };
    }
    return { type: "transfer", replica, urgent: true };
  }

  #remove(candidates: readonly GroupMember[]): MemberStep | undefined {
    for (const { replica } of candidates) {
      if (!this.#options.mayRemove(replica)) {
        this.#wait(`other groups still have replica ${replica}`);
      } else if (!this.#keepsMajority(replica)) {
        this.#wait(`without replica ${replica} too few of the others would answer`);
      } else if (replica !== this.#group.self) {
        return { type: "remove", replica };
      } else {
        const next = this.#wantedLeader() ?? this.#anyLeader();
        if (next !== undefined) return { type: "transfer", replica: next, urgent: true };
        this.#wait("no other voter can lead instead of the one that is to go");
      }
    }
    return undefined;
  }

  /** Of a learner: nothing depends on it. */
  #keepsMajority(without: number): boolean {
    const { voters } = this.#group;
    const others = voters.filter(({ replica }) => replica !== without);
    if (others.length === voters.length) return true;
    return others.filter(({ active }) => active).length * 2 > others.length;
  }

  /**
   * Groups are dealt out to the nodes in turn; those of a node that can't lead go each to another of the
   * others, and the rest stay where they are.
   */
  #wantedLeader(): number | undefined {
    let nodes = this.#wanted.map(({ replica }) => replica);
    for (let at = this.#group.group; nodes.length > 0; at = Math.floor(at / (nodes.length + 1))) {
      const replica = nodes[at % nodes.length] as number;
      if (this.#mayLead(replica)) return replica;
      nodes = nodes.filter((one) => one !== replica);
    }
    // All are drained: then nobody is better than the one that leads …
    return undefined;
  }

  /** … unless that one is to go. */
  #anyLeader(): number | undefined {
    return this.#wanted.find(({ replica }) => this.#canLead(replica))?.replica;
  }

  #mayLead(replica: number): boolean {
    const node = this.#wanted.find((one) => one.replica === replica);
    return node !== undefined && !node.drained && this.#canLead(replica);
  }

  #canLead(replica: number): boolean {
    const voter = this.#group.voters.find((one) => one.replica === replica);
    if (voter === undefined) return false;
    return replica === this.#group.self || (voter.active && voter.caughtUp);
  }

  #wait(why: string): void {
    this.waits ??= { type: "wait", why };
  }
}
