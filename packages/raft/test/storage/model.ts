/** What a storage should say after so many writes, kept in the simplest way. */
import { expect } from "vitest";
import type {
  Entry,
  GroupWrite,
  HardState,
  RecoveredGroup,
  SnapshotMeta,
} from "../../src/index.ts";

interface Modelled {
  hardState: HardState;
  base: SnapshotMeta;
  entries: readonly Entry[];
}

export class Model {
  readonly #groups = new Map<number, Modelled>();

  create(group: number, base: SnapshotMeta): void {
    this.#groups.set(group, { hardState: { term: 0, vote: 0, commit: 0 }, base, entries: [] });
  }

  write({ group, hardState, snapshot, entries }: GroupWrite): void {
    const known = this.#groups.get(group)!;
    const first = entries[0]?.index ?? Number.POSITIVE_INFINITY;
    const kept = snapshot === undefined ? known.entries : [];
    this.#groups.set(group, {
      hardState: hardState ?? known.hardState,
      base: snapshot ?? known.base,
      entries: [...kept.filter(({ index }) => index < first), ...entries],
    });
  }

  copy(): Model {
    const copy = new Model();
    for (const [group, modelled] of this.#groups) copy.#groups.set(group, modelled);
    return copy;
  }

  last(group: number): number {
    const { entries, base } = this.#groups.get(group)!;
    return entries.at(-1)?.index ?? base.index;
  }

  term(group: number, index: number): number {
    const { entries, base } = this.#groups.get(group)!;
    return entries.find((entry) => entry.index === index)?.term ?? base.term;
  }

  base(group: number): SnapshotMeta {
    return this.#groups.get(group)!.base;
  }

  hardState(group: number): HardState {
    return this.#groups.get(group)!.hardState;
  }

  get groups(): number[] {
    return [...this.#groups.keys()];
  }

  /** Entries before the first that the log has were compacted. */
  differs(recovered: ReadonlyMap<number, RecoveredGroup>): string | undefined {
    for (const [group, modelled] of this.#groups) {
      const log = recovered.get(group)?.log;
      if (log === undefined) return `group ${group} is missing`;
      const first = log.entries[0]?.index ?? Number.POSITIVE_INFINITY;
      const expected = modelled.entries.filter(({ index }) => index >= first);
      const hidden = modelled.entries.filter(({ index }) => index < first).at(-1);
      if (textOf(expected) !== textOf(log.entries)) return `group ${group}: other entries`;
      const covered = Math.max(log.snapshot.index, modelled.base.index);
      if (hidden !== undefined && hidden.index > covered) return `group ${group}: entries missing`;
      const commit = Math.max(modelled.hardState.commit, log.snapshot.index);
      const state = JSON.stringify({ ...modelled.hardState, commit });
      if (state !== JSON.stringify(log.hardState)) return `group ${group}: other hard state`;
      if (log.snapshot.index < modelled.base.index) return `group ${group}: older snapshot`;
    }
    return recovered.size === this.#groups.size ? undefined : "more groups";
  }
}

function textOf(entries: readonly Entry[]): string {
  return entries.map(({ index, term, data }) => `${index}/${term} ${data.toString()}`).join(",");
}

/** The number of writes after which the model is as what was recovered. */
export function expectPrefix(
  recovered: ReadonlyMap<number, RecoveredGroup>,
  history: readonly Model[],
  acknowledged: number,
): number {
  for (let count = history.length - 1; count >= acknowledged; count--) {
    if (history[count]!.differs(recovered) === undefined) return count;
  }
  const why = history.slice(acknowledged).map((model) => model.differs(recovered));
  expect.fail(
    `no prefix with the ${acknowledged} writes that were acknowledged: ${why.join("; ")}`,
  );
}
