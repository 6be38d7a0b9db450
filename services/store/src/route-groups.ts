import { type RouteBatch, type RouteChange, SessionError } from "@canopy/session";

/** What is known of one group's stream. */
interface Stream {
  term: number;
  seq: number;
  readonly filters: Set<string>;
}

/** Which groups have which filter: a route of this process is one that any of them has. */
export class RouteGroups {
  readonly #streams = new Map<number, Stream>();
  /** Filter → how many groups have it. */
  readonly #counts = new Map<string, number>();

  /** Numbers of the groups that have it. */
  having(filter: string): number[] {
    const found: number[] = [];
    for (const [group, { filters }] of this.#streams) if (filters.has(filter)) found.push(group);
    return found;
  }

  /** 0: nothing is known of the group. */
  termOf(group: number): number {
    return this.#streams.get(group)?.term ?? 0;
  }

  /** What changes for the process, in order. Throws a `stale` SessionError for what is out of turn. */
  take(batch: RouteBatch): RouteChange[] {
    const { group, term, seq, whole } = batch;
    const known = this.#streams.get(group);
    if (known !== undefined && term < known.term) throw outOfTurn("a later leader has spoken");
    if (whole) return this.#replace(batch, known);
    if (known?.term !== term) throw outOfTurn("it begins with everything");
    const first = seq - batch.changes.length + 1;
    if (first > known.seq + 1) throw outOfTurn("changes before these are missing");
    const changes = batch.changes.slice(Math.max(0, known.seq + 1 - first));
    known.seq = Math.max(known.seq, seq);
    return this.#apply(known, changes);
  }

  #replace({ group, term, seq, changes }: RouteBatch, known: Stream | undefined): RouteChange[] {
    if (known?.term === term && seq < known.seq) return [];
    const stream = { term, seq, filters: known?.filters ?? new Set<string>() };
    this.#streams.set(group, stream);
    const wanted = new Set(changes.map(({ filter }) => filter));
    const gone = [...stream.filters].filter((filter) => !wanted.has(filter));
    const all = gone.map((filter): RouteChange => ({ filter, add: false }));
    return this.#apply(stream, all.concat(changes));
  }

  #apply({ filters }: Stream, changes: readonly RouteChange[]): RouteChange[] {
    return changes.filter(({ filter, add }) => {
      if (filters.has(filter) === add) return false;
      const before = this.#counts.get(filter) ?? 0;
      const after = before + (add ? 1 : -1);
      if (add) filters.add(filter);
      else filters.delete(filter);
      if (after === 0) this.#counts.delete(filter);
      else this.#counts.set(filter, after);
      return add ? before === 0 : after === 0;
    });
  }
}

function outOfTurn(why: string): SessionError {
  return new SessionError("stale", `routes are refused: ${why}`);
}
