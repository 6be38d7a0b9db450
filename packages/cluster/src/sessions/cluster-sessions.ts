import type { Logger } from "@canopy/base";
import {
  type DeliveryChanges,
  type GatewayPeer,
  groupOf,
  groupOfIncarnation,
  type Opened,
  type OpenRequest,
  type Progress,
  type ReleaseRequest,
  type SessionCounts,
  type Sessions,
  type SubscribeRequest,
  type SubscribeResult,
  type UnsubscribeRequest,
  type WithdrawRequest,
} from "@canopy/session";
import { GroupAttachment } from "./group-attachment.ts";
import { GroupCalls, type GroupCallsOptions } from "./group-calls.ts";

export interface ClusterSessionsOptions extends GroupCallsOptions<Sessions> {
  /** Session groups of the cluster: fixed, and known before anything is asked. */
  readonly groups: () => number;
  readonly logger: Logger;
}

/** The port Sessions over all session groups of the cluster, for one gateway. */
export class ClusterSessions implements Sessions {
  readonly #options: ClusterSessionsOptions;
  readonly #groups = new Map<number, GroupCalls<Sessions>>();
  #attachments: GroupAttachment[] = [];

  constructor(options: ClusterSessionsOptions) {
    this.#options = options;
  }

  /** Nothing is asked of it any more; what is under way is not tried again. */
  close(): void {
    this.#detach();
    for (const group of this.#groups.values()) group.close();
  }

  /** Kept up at every group's leader, until another one, or close(). */
  async attach(gateway: number, peer: GatewayPeer): Promise<void> {
    this.#detach();
    const { timers, random, logger } = this.#options;
    this.#attachments = this.#all().map((calls) => {
      return new GroupAttachment(gateway, peer, { calls, timers, random, logger });
    });
    await Promise.all(this.#attachments.map(({ attached }) => attached));
  }

  /** See {@link Sessions.groupOf}. */
  groupOf(incarnation: number): number {
    return groupOfIncarnation(incarnation, this.#options.groups());
  }

  open(request: OpenRequest): Promise<Opened> {
    return this.#ofClient(request).call((sessions) => sessions.open(request));
  }

  withdraw(request: WithdrawRequest): Promise<void> {
    return this.#ofClient(request).call((sessions) => sessions.withdraw(request));
  }

  release(request: ReleaseRequest): Promise<void> {
    return this.#of(request).call((sessions) => sessions.release(request));
  }

  subscribe(request: SubscribeRequest): Promise<SubscribeResult> {
    return this.#of(request).call((sessions) => sessions.subscribe(request));
  }

  unsubscribe(request: UnsubscribeRequest): Promise<readonly boolean[]> {
    return this.#of(request).call((sessions) => sessions.unsubscribe(request));
  }

  progress(batch: readonly Progress[]): Promise<void> {
    return this.#each(batch, (sessions, part) => sessions.progress(part));
  }

  deliveries(batch: readonly DeliveryChanges[]): Promise<void> {
    return this.#each(batch, (sessions, part) => sessions.deliveries(part));
  }

  /** Of all groups together; rejects where one of them does not answer. */
  async counts(): Promise<SessionCounts> {
    const all = this.#all().map((group) => group.call((sessions) => sessions.counts()));
    const sum = { sessions: 0, connected: 0, durable: 0, subscriptions: 0 };
    for (const counts of await Promise.all(all)) {
      sum.sessions += counts.sessions;
      sum.connected += counts.connected;
      sum.durable += counts.durable;
      sum.subscriptions += counts.subscriptions;
    }
    return sum;
  }

  /** Settles when all groups have done their part; rejects if one has not, whatever the others did. */
  async #each<T extends { readonly incarnation: number }>(
    batch: readonly T[],
    ask: (sessions: Sessions, part: readonly T[]) => Promise<void>,
  ): Promise<void> {
    const parts = new Map<number, T[]>();
    for (const item of batch) {
      const group = this.groupOf(item.incarnation);
      const part = parts.get(group);
      if (part === undefined) parts.set(group, [item]);
      else part.push(item);
    }
    const asked = [...parts].map(([group, part]) => {
      return this.#group(group).call((sessions) => ask(sessions, part));
    });
    // not before all are through: the caller repeats all, and none of it may be under way then
    const results = await Promise.allSettled(asked);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #detach(): void {
    for (const attachment of this.#attachments.splice(0)) attachment.close();
  }

  #ofClient({ clientId }: { readonly clientId: string }): GroupCalls<Sessions> {
    return this.#group(groupOf(clientId, this.#options.groups()));
  }

  #of({ incarnation }: { readonly incarnation: number }): GroupCalls<Sessions> {
    return this.#group(this.groupOf(incarnation));
  }

  #all(): GroupCalls<Sessions>[] {
    return Array.from({ length: this.#options.groups() }, (_, i) => this.#group(i + 1));
  }

  #group(group: number): GroupCalls<Sessions> {
    let calls = this.#groups.get(group);
    if (calls === undefined) {
      calls = new GroupCalls(group, this.#options);
      this.#groups.set(group, calls);
    }
    return calls;
  }
}
