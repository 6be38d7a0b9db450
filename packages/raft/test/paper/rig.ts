// One core, what it is told, and what it says: for rules that need no cluster.
import { seededRandom } from "@canopy/base";
import {
  type Configuration,
  Core,
  type CoreOptions,
  type Entry,
  EntryKind,
  type HardState,
  type Message,
  type Ready,
} from "../../src/index.ts";
import { configurationOf, DEFAULTS } from "../cluster/replica.ts";

export interface RigOptions {
  readonly id?: number;
  readonly configuration?: Configuration;
  readonly hardState?: Partial<HardState>;
  /** Terms of the entries from index 2 on; index 1 of term 1 is the snapshot. */
  readonly terms?: readonly number[];
  readonly options?: Partial<CoreOptions>;
}

export function entriesOf(terms: readonly number[], first = 2): Entry[] {
  const kind = EntryKind.Command;
  return terms.map((term, i) => {
    const index = first + i;
    return { index, term, kind, data: Buffer.from(`${index}@${term}`) };
  });
}

export class Rig {
  readonly core: Core;
  /** Everything since it was last looked at. */
  #readies: Ready[] = [];
  /** Writes that were begun and not ended. */
  readonly writing: Ready[] = [];

  constructor(rig: RigOptions = {}) {
    const configuration = rig.configuration ?? configurationOf([1, 2, 3]);
    const terms = rig.terms ?? [];
    const term = Math.max(1, ...terms);
    this.core = new Core(
      { ...DEFAULTS, id: rig.id ?? 1, random: seededRandom(7), ...rig.options },
      {
        hardState: { term, vote: 0, commit: 1, ...rig.hardState },
        snapshot: { index: 1, term: 1, configuration },
        entries: entriesOf(terms),
        prevTerm: 1,
      },
    );
  }

  /** Takes what there is to do, with writes ended at once unless `slow`; answers with all messages. */
  pump(slow = false): Message[] {
    const messages: Message[] = [];
    for (let ready = this.core.ready(); ready !== undefined; ready = this.core.ready()) {
      this.#readies.push(ready);
      messages.push(...ready.messages);
      if (ready.write > 0) this.writing.push(ready);
      if (!slow) while (this.writing.length > 0) messages.push(...this.endWrite());
    }
    return messages;
  }

  /** The oldest write ends; answers with what waited for it. */
  endWrite(): readonly Message[] {
    const ready = this.writing.shift();
    if (ready === undefined) throw new Error("nothing is being written");
    this.core.written(ready.write);
    return ready.afterWrite;
  }

  step(message: Message): Message[] {
    this.core.step(message);
    return this.pump();
  }

  /** The committed entries that were handed out since the last look. */
  handedOut(): number[] {
    const committed = this.#readies.flatMap((ready) => ready.committed);
    this.#readies = [];
    return committed.map((entry) => entry.index);
  }

  get terms(): (number | undefined)[] {
    const { firstIndex, lastIndex } = this.core;
    return Array.from({ length: lastIndex - firstIndex + 1 }, (_, i) =>
      this.core.termAt(firstIndex + i),
    );
  }

  /** With the votes of 2 and 3, its first entry not acknowledged by anybody. */
  lead(): Message[] {
    this.core.campaign();
    this.pump();
    const { core } = this;
    const commits = { commit: 0, commitTerm: 0 };
    for (const from of [2, 3]) {
      const term = core.term + 1;
      this.step({ type: "preVoteAnswer", from, to: core.id, term, granted: true, ...commits });
      if (core.role === "candidate") break;
    }
    const out: Message[] = [];
    for (const from of [2, 3]) {
      const { term } = core;
      out.push(
        ...this.step({ type: "voteAnswer", from, to: core.id, term, granted: true, ...commits }),
      );
    }
    return out;
  }

  /** As the leader of `term`, from 2. */
  append(append: {
    readonly term: number;
    readonly prev: readonly [index: number, term: number];
    readonly terms?: readonly number[];
    readonly commit?: number;
    readonly from?: number;
  }): Message[] {
    const [prevIndex, prevTerm] = append.prev;
    return this.step({
      type: "append",
      from: append.from ?? 2,
      to: this.core.id,
      term: append.term,
      prevIndex,
      prevTerm,
      entries: entriesOf(append.terms ?? [], prevIndex + 1),
      commit: append.commit ?? 0,
    });
  }

  /** A follower has it on its disk. */
  accept(from: number, index: number): Message[] {
    const { id: to, term } = this.core;
    const hint = { hintIndex: 0, hintTerm: 0 };
    return this.step({ type: "appendAnswer", from, to, term, index, rejected: false, ...hint });
  }

  askVote(vote: {
    readonly type?: "vote" | "preVote";
    readonly from?: number;
    readonly term: number;
    readonly last: readonly [index: number, term: number];
    readonly force?: boolean;
  }): Message[] {
    const [lastIndex, lastTerm] = vote.last;
    const { type = "vote", from = 2, term, force = false } = vote;
    return this.step({ type, from, to: this.core.id, term, lastIndex, lastTerm, force });
  }
}

/** Whoever has this type: those of votes share theirs. */
type Of<T extends Message["type"], M = Message> = M extends Message
  ? T extends M["type"]
    ? M
    : never
  : never;

export function of<T extends Message["type"]>(messages: readonly Message[], type: T): Of<T>[] {
  return messages.filter((message) => message.type === type) as Of<T>[];
}
