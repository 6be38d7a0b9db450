/** One group's members, as its leader has them, with steps that are taken at once. */
import type { NodeStanding, SessionNode } from "../src/change.ts";
import { type GroupMember, type MemberStep, nextMemberStep } from "../src/group-members.ts";

export const node = (
  replica: number,
  standing: NodeStanding = "member",
  drained = false,
): SessionNode => ({
  name: `n${replica}`,
  address: `n${replica}:1`,
  disk: replica * 10,
  replica,
  standing,
  drained,
});

export const member = (replica: number, state: Partial<GroupMember> = {}): GroupMember => ({
  replica,
  disk: replica * 10,
  active: true,
  caughtUp: true,
  ...state,
});

export const three: readonly SessionNode[] = [1, 2, 3].map((replica) => node(replica));

interface Scene {
  readonly nodes: readonly SessionNode[];
  readonly voters: readonly GroupMember[];
  readonly learners?: readonly GroupMember[];
  readonly self?: number;
  readonly group?: number;
  readonly highest?: number;
  readonly unreachable?: readonly string[];
  readonly mayRemove?: boolean;
}

export function step(scene: Scene): MemberStep | undefined {
  const { nodes, voters, learners = [], self = 1, group = 0, mayRemove = true } = scene;
  const all = [...voters, ...learners].map(({ replica }) => replica);
  const highest = scene.highest ?? Math.max(...all);
  return nextMemberStep(
    nodes,
    { group, self, voters, learners, isChanging: false, highest },
    { unreachable: new Set(scene.unreachable), mayRemove: () => mayRemove },
  );
}

/** What happens to one group; a step that should not be taken throws. */
export class World {
  readonly #group: number;
  #nodes: SessionNode[] = [...three];
  readonly #dead = new Set<number>();
  readonly #lagging = new Set<number>();
  #voters = new Set([1, 2, 3]);
  readonly #learners = new Set<number>();
  #highest = 3;
  #self = 1;
  #last = 3;

  constructor(group: number) {
    this.#group = group;
  }

  voters(): number[] {
    return [...this.#voters].sort((a, b) => a - b);
  }

  wanted(): number[] {
    return this.#members()
      .map(({ replica }) => replica)
      .sort((a, b) => a - b);
  }

  happen(kind: string, at: number): void {
    const all = this.#members();
    const one = all[at % all.length] as SessionNode;
    if (kind === "join" && all.length < 7) this.#nodes.push(node(++this.#last));
    if (kind === "leave" && all.length > 1) this.#replaceBy(one, { ...one, standing: "leaving" });
    if (kind === "drain") this.#replaceBy(one, { ...one, drained: !one.drained });
    if (kind === "live") this.#dead.clear();
    if (kind === "lag") this.#lagging.add(one.replica);
    if (kind === "replace" && all.length > 1) {
      this.#dead.add(one.replica);
      const back = { ...node(++this.#last), name: one.name };
      this.#replaceBy(one, at % 2 === 0 ? back : { ...one, standing: "awaited", replica: 0 });
      this.#elect();
    }
    if (kind === "die") {
      this.#dead.add(one.replica);
      this.#elect();
    }
    if (kind === "step") this.step();
  }

  heal(): void {
    const wanted = new Set(this.wanted());
    for (const replica of this.#dead) if (wanted.has(replica)) this.#dead.delete(replica);
    this.#lagging.clear();
    // Disks that are lost stay so. With a majority of them nothing can be done.
    if (!this.#hasMajority(this.#voters)) this.#dead.clear();
    this.#elect();
  }

  /** False where nothing is left to be done. */
  step(): boolean {
    if (!this.#hasMajority(this.#voters)) return true;
    const members = (ids: ReadonlySet<number>) =>
      [...ids].map((replica) => {
        const active = !this.#dead.has(replica);
        return member(replica, { active, caughtUp: active && !this.#lagging.has(replica) });
      });
    const unreachable = this.#nodes.filter(({ replica }) => this.#dead.has(replica));
    const next = step({
      nodes: this.#nodes,
      voters: members(this.#voters),
      learners: members(this.#learners),
      self: this.#self,
      group: this.#group,
      highest: this.#highest,
      unreachable: unreachable.map(({ name }) => name),
    });
    if (next === undefined || next.type === "wait") return next !== undefined;
    this.#take(next);
    return true;
  }

  #take(next: Exclude<MemberStep, { type: "wait" }>): void {
    const { replica } = next;
    switch (next.type) {
      case "add":
        must(replica > this.#highest, "an id twice");
        this.#highest = replica;
        this.#learners.add(replica);
        return;
      case "promote":
        must(this.#learners.delete(replica), "it is no learner");
        this.#voters.add(replica);
        break;
      case "remove":
        must(replica !== this.#self, "a leader removes itself");
        if (this.#voters.delete(replica)) break;
        must(this.#learners.delete(replica), "it is no learner");
        break;
      case "transfer":
        must(this.#voters.has(replica) && !this.#dead.has(replica), "it can't lead");
        this.#self = replica;
        return;
    }
    must(this.#hasMajority(this.#voters), "no majority answers any more");
  }

  #elect(): void {
    if (!this.#dead.has(this.#self) && this.#voters.has(this.#self)) return;
    this.#self = this.voters().find((replica) => !this.#dead.has(replica)) ?? this.#self;
  }

  #hasMajority(voters: ReadonlySet<number>): boolean {
    return [...voters].filter((replica) => !this.#dead.has(replica)).length * 2 > voters.size;
  }

  #members(): SessionNode[] {
    return this.#nodes.filter(({ standing }) => standing === "member");
  }

  #replaceBy(one: SessionNode, by: SessionNode): void {
    this.#nodes = [...this.#nodes.filter((other) => other !== one), by];
  }
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
