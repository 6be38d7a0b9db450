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

  /** Everything up to here is needed by no session; 0 where nobody can say. */
  async lowest({ filter, shard }: QueueShard): Promise<Offset> {
    const groups = this.#having(filter);
    const answers = await Promise.all(
      groups.map((group) => (this.all[group - 1] as SessionQueries).lowest([{ filter, shard }])),
    );
    let lowest = Number.POSITIVE_INFINITY;
    for (const [found] of answers) if (found !== undefined && found < lowest) lowest = found;
    // That nobody has the route is believed when the groups say so in their streams.
    return lowest === Number.POSITIVE_INFINITY ? 0 : lowest;
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
