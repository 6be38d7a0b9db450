import type { GroupRoutes, RouteBatch, RouteChange } from "@canopy/session";
import { Queue } from "./queue.ts";
import type { Removals } from "./removals.ts";
import { RouteGroups } from "./route-groups.ts";
import { isShared } from "./share/name.ts";
import type { Shares } from "./share/shares.ts";
import type { Subscribers } from "./subscribers.ts";

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
    const changes = this.#groups.take(batch);
    // Nothing new may be something that another call still waits for.
    await (changes.length > 0 ? this.#change(changes) : this.#waiting);
  }

  #change(changes: readonly RouteChange[]): Promise<void> {
    if (this.#waiting === undefined && !changes.some((change) => this.#mustWait(change))) {
      for (const change of changes) this.#apply(change);
      return Promise.resolve();
    }
    const before = this.#waiting ?? Promise.resolve();
    const applied = before.then(() => this.#applyInTurn(changes));
    this.#waiting = applied;
    return applied.finally(() => {
      if (this.#waiting === applied) this.#waiting = undefined;
    });
  }

  #mustWait({ filter, add }: RouteChange): boolean {
    return add && this.#removals.underWay(filter) !== undefined;
  }

  async #applyInTurn(changes: readonly RouteChange[]): Promise<void> {
    for (const change of changes) {
      if (change.add) await this.#removals.underWay(change.filter);
      this.#apply(change);
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
