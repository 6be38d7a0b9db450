import type { QueueShard, SessionQueries } from "@canopy/session";
import type { Offset } from "@canopy/store";

/**
 * What all session groups together say. An answer needs all that are asked: who does not answer may
 * still need something.
 */
export class SessionGroups {
  readonly #queries: () => readonly SessionQueries[];
  /** Numbers of the groups that have a route; from 1. */
  readonly #having: (filter: string) => readonly number[];

  constructor(
    queries: () => readonly SessionQueries[],
    having: (filter: string) => readonly number[],
  ) {
    this.#queries = queries;
    this.#having = having;
  }

  /** By their number, less one. */
  get all(): readonly SessionQueries[] {
    return this.#queries();
  }

  /**
   * Of each, up to where no session needs anything; 0 where a group has not answered, or nobody has
   * the route: that is believed when the groups say so in their streams.
   */
  async lowest(asked: readonly QueueShard[]): Promise<readonly Offset[]> {
    const lowest = asked.map(() => Number.POSITIVE_INFINITY);
    await Promise.all(
      this.all.map(async (queries, i) => {
        const mine: number[] = [];
        for (const [at, { filter }] of asked.entries()) {
          if (this.#having(filter).includes(i + 1)) mine.push(at);
        }
        if (mine.length === 0) return;
        const found = await lowestOf(
          queries,
          mine.map((at) => asked[at] as QueueShard),
        );
        for (const [k, at] of mine.entries()) {
          lowest[at] = Math.min(lowest[at] as number, found[k] ?? Number.POSITIVE_INFINITY);
        }
      }),
    );
    return lowest.map((found) => (found === Number.POSITIVE_INFINITY ? 0 : found));
  }

  async sharedUnfinished(asked: readonly QueueShard[]): Promise<readonly (readonly Offset[])[]> {
    const answers = await Promise.all(this.all.map((group) => group.sharedUnfinished(asked)));
    return asked.map((_, i) => answers.flatMap((answer) => answer[i] ?? []));
  }

  async areLive(incarnations: readonly number[]): Promise<readonly boolean[]> {
    const answers = await Promise.all(this.all.map((group) => group.areLive(incarnations)));
    return incarnations.map((_, i) => answers.some((answer) => answer[i] === true));
  }
}

/** Who does not answer may need everything. */
async function lowestOf(
  queries: SessionQueries,
  asked: readonly QueueShard[],
): Promise<readonly (Offset | undefined)[]> {
  try {
    return await queries.lowest(asked);
  } catch {
    return asked.map(() => 0);
  }
}
