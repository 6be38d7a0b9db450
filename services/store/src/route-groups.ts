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

  /** How many steps {@link RouteGroups.take} may have, about. */
  steps({ group, whole, changes }: RouteBatch): number {
    const known = whole ? (this.#streams.get(group)?.filters.size ?? 0) : 0;
    return known + changes.length;
  }

  /**
   * What changes for the process, in order, a step at a time; `undefined` where a step changes nothing.
   * Throws a `stale` SessionError for what is out of turn. It has to be taken to its end before the next.
   */
  *take(batch: RouteBatch): Generator<RouteChange | undefined> {
    const { group, term, seq, whole } = batch;
    const known = this.#streams.get(group);
    if (known !== undefined && term < known.term) throw outOfTurn("a later leader has spoken");
    if (whole) {
      yield* this.#replace(batch, known);
      return;
    }
    if (known?.term !== term) throw outOfTurn("it begins with everything");
    const first = seq - batch.changes.length + 1;
    if (first > known.seq + 1) throw outOfTurn("changes before these are missing");
    const changes = batch.changes.slice(Math.max(0, known.seq + 1 - first));
    known.seq = Math.max(known.seq, seq);
    for (const { filter, add } of changes) yield this.#apply(known, filter, add);
  }

  *#replace(
    { group, term, seq, changes }: RouteBatch,
    known: Stream | undefined,
  ): Generator<RouteChange | undefined> {
    if (known?.term === term && seq < known.seq) return;
    const stream = { term, seq, filters: known?.filters ?? new Set<string>() };
    this.#streams.set(group, stream);
    const wanted = new Set<string>();
    for (const { filter } of changes) {
      wanted.add(filter);
      yield undefined;
    }
    for (const filter of stream.filters) {
      yield wanted.has(filter) ? undefined : this.#apply(stream, filter, false);
    }
    for (const { filter } of changes) yield this.#apply(stream, filter, true);
  }

  #apply({ filters }: Stream, filter: string, add: boolean): RouteChange | undefined {
    if (filters.has(filter) === add) return undefined;
    const before = this.#counts.get(filter) ?? 0;
    const after = before + (add ? 1 : -1);
    if (add) filters.add(filter);
    else filters.delete(filter);
    if (after === 0) this.#counts.delete(filter);
    else this.#counts.set(filter, after);
    return (add ? before : after) === 0 ? { filter, add } : undefined;
  }
}

function outOfTurn(why: string): SessionError {
  return new SessionError("stale", `routes are refused: ${why}`);
}
