import type { GroupRoutes, QueueShard, SessionQueries } from "@canopy/session";
import { GroupCalls, type GroupCallsOptions } from "./group-calls.ts";

export interface GroupQueriesOptions extends GroupCallsOptions<SessionQueries> {
  /** How long all routes of a group may take, ms; default 60 s. */
  readonly routesDeadline?: number;
}

const ROUTES_DEADLINE = 60_000;

/** The port SessionQueries of one group, at whichever node leads it. */
export class GroupQueries implements SessionQueries {
  readonly #calls: GroupCalls<SessionQueries>;
  readonly #routesDeadline: number;

  constructor(group: number, options: GroupQueriesOptions) {
    this.#calls = new GroupCalls(group, options);
    this.#routesDeadline = options.routesDeadline ?? ROUTES_DEADLINE;
  }

  /** Nothing is asked of it any more; what is under way is not tried again. */
  close(): void {
    this.#calls.close();
  }

  routes(after: number): Promise<GroupRoutes> {
    return this.#calls.call((queries) => queries.routes(after), this.#routesDeadline);
  }

  lowest(asked: readonly QueueShard[]): Promise<readonly (number | undefined)[]> {
    return this.#calls.call((queries) => queries.lowest(asked));
  }

  sharedUnfinished(asked: readonly QueueShard[]): Promise<readonly (readonly number[])[]> {
    return this.#calls.call((queries) => queries.sharedUnfinished(asked));
  }

  areLive(incarnations: readonly number[]): Promise<readonly boolean[]> {
    return this.#calls.call((queries) => queries.areLive(incarnations));
  }
}
