import type { GroupRoutes, RouteBatch, RouteChange } from "@canopy/session";
import { Queue } from "./queue.ts";
import type { Removals } from "./removals.ts";
import { RouteGroups } from "./route-groups.ts";
import { isShared } from "./share/name.ts";
import type { Shares } from "./share/shares.ts";
import type { Subscribers } from "./subscribers.ts";

/** So many steps at a time: some milliseconds. */
const SLICE = 500;

/** Which filters have a queue: an ordered stream of changes from the sessions. */
export class Routes {
  readonly #subscribers: Subscribers;
  readonly #shares: Shares;
  readonly #removals: Removals;
  readonly #queues = new Map<string, Queue>();
  readonly #groups = new RouteGroups();
  /** Changes that wait; later ones wait behind them. */
  #waiting: Promise<void> | undefined;

  constructor(subscribers: Subscribers, shares: Shares, removals: Removals) {
    this.#subscribers = subscribers;
    this.#shares = shares;
    this.#removals = removals;
  }

  /** Whether somebody will still read from the queue of this name. */
  has(name: string): boolean {
    return isShared(name) ? this.#shares.get(name)?.queue !== undefined : this.#queues.has(name);
  }

  /** Numbers of the session groups that have it. */
  groupsOf(filter: string): readonly number[] {
    return this.#groups.having(filter);
  }

  /** The highest term of the group's leaders that anything was heard of; 0: nothing was. */
  termOf(group: number): number {
    return this.#groups.termOf(group);
  }

  /** Settles when they are in force. */
  load({ filters, ...version }: GroupRoutes): Promise<void> {
    const changes = filters.map((filter): RouteChange => ({ filter, add: true }));
    return this.take({ ...version, whole: true, changes });
  }

  /** Settles when the changes are in force. Rejects as {@link RouteSink.routes} does. */
  async take(batch: RouteBatch): Promise<void> {
    // Behind what waits also where there is nothing new: another call may still wait for that.
    if (this.#waiting !== undefined || this.#groups.steps(batch) > SLICE) {
      await this.#inTurn(() => this.#takeInSlices(batch));
      return;
    }
    const changes = [...this.#groups.take(batch)].filter((change) => change !== undefined);
    if (changes.some((change) => this.#mustWait(change))) {
      await this.#inTurn(() => this.#applyAll(changes));
    } else for (const change of changes) this.#apply(change);
  }

  async #inTurn(task: () => Promise<void>): Promise<void> {
    const applied = (this.#waiting ?? Promise.resolve()).then(task);
    const ended = applied
      .catch(() => {})
      .then(() => {
        if (this.#waiting === ended) this.#waiting = undefined;
      });
    this.#waiting = ended;
    await applied;
  }

  #mustWait({ filter, add }: RouteChange): boolean {
    return add && this.#removals.underWay(filter) !== undefined;
  }

  async #applyAll(changes: Iterable<RouteChange>): Promise<void> {
    for (const change of changes) {
      if (this.#mustWait(change)) await this.#removals.underWay(change.filter);
      this.#apply(change);
    }
  }

  /** All routes of a group may be very many. */
  async #takeInSlices(batch: RouteBatch): Promise<void> {
    let left = SLICE;
    for (const change of this.#groups.take(batch)) {
      if (change !== undefined) await this.#applyAll([change]);
      if (--left > 0) continue;
      left = SLICE;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #apply({ filter, add }: RouteChange): void {
    if (add) this.#add(filter);
    else this.#remove(filter);
  }

  #add(filter: string): void {
    if (isShared(filter)) {
      this.#shares.addRoute(filter);
    } else if (!this.#queues.has(filter)) {
      const queue = new Queue(filter);
      this.#queues.set(filter, queue);
      this.#subscribers.add(filter, queue);
    }
  }

  #remove(filter: string): void {
    if (isShared(filter)) {
      this.#shares.removeRoute(filter);
      return;
    }
    const queue = this.#queues.get(filter);
    if (queue === undefined) return;
    this.#queues.delete(filter);
    this.#subscribers.remove(filter, queue);
    this.#removals.remove(filter);
  }
}
