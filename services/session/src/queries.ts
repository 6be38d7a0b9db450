import type { RaftGroup } from "@canopy/raft";
import {
  type GroupRoutes,
  type QueueShard,
  SessionError,
  type SessionQueries,
  type SessionState,
} from "@canopy/session";
import { notLeader } from "./errors.ts";
import type { Leading } from "./leading.ts";

interface Parts {
  readonly state: () => SessionState;
  /** Throws where this replica does not lead. */
  readonly leads: () => { readonly leading: Leading; readonly group: RaftGroup };
}

/** Answers with everything that was committed when it was asked. */
export class Queries implements SessionQueries {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async routes(after: number): Promise<GroupRoutes> {
    const leading = await this.#ready();
    const state = this.#parts.state();
    if (state.version < after) {
      throw new SessionError("unavailable", "the store process is not known to the group yet");
    }
    return { ...leading.routesTold, filters: state.routes() };
  }

  async lowest(asked: readonly QueueShard[]): Promise<readonly (number | undefined)[]> {
    await this.#ready();
    const state = this.#parts.state();
    return asked.map(({ filter, shard }) => state.lowest(filter, shard));
  }

  async sharedUnfinished(asked: readonly QueueShard[]): Promise<readonly (readonly number[])[]> {
    await this.#ready();
    const state = this.#parts.state();
    return asked.map(({ filter, shard }) => state.sharedUnfinished(filter, shard));
  }

  async areLive(incarnations: readonly number[]): Promise<readonly boolean[]> {
    await this.#ready();
    const state = this.#parts.state();
    return incarnations.map((incarnation) => state.isKept(incarnation));
  }

  async #ready(): Promise<Leading> {
    const { leading, group } = this.#parts.leads();
    const answer = await group.read();
    switch (answer.type) {
      case "ready":
        // Another leadership may have begun; what it has told the stores is counted anew.
        if (this.#parts.leads().leading !== leading) throw notLeader(undefined);
        return leading;
      case "notLeader":
        throw notLeader(answer.node);
      case "overloaded":
        throw new SessionError("overloaded", "too many questions wait");
      case "unavailable":
        throw new SessionError("unavailable", answer.message);
    }
  }
}
