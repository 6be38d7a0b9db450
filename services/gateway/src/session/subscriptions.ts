import { LazyMap } from "@canopy/base";
import { REASON } from "@canopy/codec";
import { DELIVERY, Delivery, type GrantedSubscription } from "@canopy/connection";
import {
  type Opened,
  type RetainedPosition,
  SessionError,
  type Subscription,
} from "@canopy/session";
import { matchesFilter, parseFilter, shardsOfFilter } from "@canopy/topic";
import type { Client } from "../client.ts";
import type { RetainedStream } from "../delivery/retained-stream.ts";
import { Sub, type SubDelivery, type SubState } from "../delivery/sub.ts";
import type { Gateway } from "../gateway.ts";
import { resend } from "./resume.ts";
import { joinShare, leaveShare } from "./shares.ts";

/** SUBSCRIBEs and UNSUBSCRIBEs that may wait; beyond that nothing is read from the client. */
const MOST_WAITING = 64;

type Settle = (codes: readonly number[]) => void;

/** A subscription that is being made, or made again. */
interface Change {
  readonly request: GrantedSubscription;
  readonly sub: Sub;
  /** As it was before; undefined for a new one. */
  readonly before: SubState | undefined;
  /** Its retained values that were being sent, where they are asked for anew. */
  readonly stream: RetainedStream | undefined;
}

/** The subscriptions of one connected session, changed one SUBSCRIBE or UNSUBSCRIBE at a time. */
export class Subscriptions {
  readonly #client: Client;
  readonly #gateway: Gateway;
  readonly #subs = new LazyMap<string, Sub>();
  /** Unfinished deliveries of an earlier connection, in the order in which they were sent. */
  #unfinished: SubDelivery[] = [];
  /** Retained values that an earlier connection did not get to the end of. */
  #retained: {
    sub: Sub;
    upTo: readonly number[];
    after: RetainedPosition | undefined;
  }[] = [];
  #queue: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined = undefined;

  constructor(client: Client, gateway: Gateway) {
    this.#client = client;
    this.#gateway = gateway;
  }

  get size(): number {
    return this.#subs.size;
  }

  /** A push is the only way to it for messages of QoS ≥ 1 of this shard. */
  needsPushes(shard: number): boolean {
    const { shards } = this.#gateway.shards;
    for (const { interestTransient, shared, plainFilter } of this.#subs.values()) {
      if (!interestTransient || shared) continue;
      if (shardsOfFilter(plainFilter, shards).includes(shard)) return true;
    }
    return false;
  }

  has(filter: string): boolean {
    return this.#subs.has(filter);
  }

  /** Those that have an identifier and no queue, from which it would come with what is read. */
  identifiedWithoutQueue(): Sub[] {
    const found: Sub[] = [];
    for (const sub of this.#subs.values()) {
      const { shared, queued, dropped, draining, idBytes } = sub;
      if (!shared && !queued && !dropped && !draining && idBytes !== undefined) found.push(sub);
    }
    return found;
  }

  /** Those that are not shared and match this topic name. */
  matching(topic: string): Sub[] {
    const found: Sub[] = [];
    for (const sub of this.#subs.values()) {
      if (!sub.shared && matchesFilter(sub.plainFilter, topic)) found.push(sub);
    }
    return found;
  }

  /** Takes over what the session state knows, before CONNACK. */
  restore(opened: Opened): void {
    const { outbox } = this.#client;
    const sources = new Map<string, Sub>();
    for (const subscription of opened.subscriptions) {
      const sub = this.#restored(subscription);
      sources.set(sub.filter, sub);
      const { retainedUpTo: upTo, retainedAfter: after } = subscription;
      if (upTo !== undefined && !sub.draining) this.#retained.push({ sub, upTo, after });
    }
    const done = new Map(opened.done.map(({ shard, ranges }) => [shard, ranges]));
    const byShard = new Map<number, SubDelivery[]>();
    for (const entry of opened.unfinished) {
      const { qos, queue, shard, offset, packetId, received, source } = entry;
      const topic = source === "retained" ? queue : undefined;
      const sub =
        topic === undefined
          ? (sources.get(queue) ?? this.#nobody(queue))
          : new Sub(this.#client, topic, topic);
      const delivery: SubDelivery = new Delivery(qos, sub, shard, offset, topic, undefined);
      delivery.state = received ? DELIVERY.receiving : DELIVERY.assigning;
      this.#client.connection.window.restore(delivery, packetId);
      this.#unfinished.push(delivery);
      if (topic !== undefined || sub.shared) continue;
      sub.unfinished++;
      const list = byShard.get(shard);
      if (list === undefined) byShard.set(shard, [delivery]);
      else list.push(delivery);
    }
    for (const [shard, cursor] of opened.cursors.entries()) {
      const deliveries = byShard.get(shard) ?? [];
      const ranges = done.get(shard) ?? [];
      if (cursor === 0 && deliveries.length === 0 && ranges.length === 0) continue;
      outbox.reader(shard, cursor).resume(deliveries, ranges);
    }
  }

  /** After CONNACK: interests, what was unfinished, then readers and retained values. */
  start(): void {
    const { outbox } = this.#client;
    if (this.#subs.size === 0 && this.#unfinished.length === 0) {
      outbox.started = true;
      return;
    }
    this.#run(async () => {
      const subs = [...this.#subs.values()];
      for (const sub of subs) this.#enter(sub);
      await this.#gateway.interests.add(subs.filter((sub) => !sub.shared));
      if (this.#client.ended) return;
      await resend(this.#gateway, this.#client, this.#unfinished.splice(0));
      if (this.#client.ended) return;
      outbox.started = true;
      for (const sub of subs) this.#read(sub);
      for (const sub of subs) if (sub.shared) joinShare(this.#gateway, this.#client, sub);
      for (const { sub, upTo, after } of this.#retained.splice(0)) {
        outbox.retained.send(sub, upTo, after);
      }
      outbox.pump();
    });
  }

  subscribe(granted: readonly GrantedSubscription[], settle: Settle): void {
    this.#run(async () => {
      if (this.#client.ended) return;
      const codes: number[] = [];
      const changes: Change[] = [];
      for (const request of granted) {
        const change = this.#put(request);
        codes.push(change === undefined ? REASON.quotaExceeded : request.qos);
        if (change !== undefined) changes.push(change);
      }
      try {
        const subs = changes.map(({ sub }) => sub).filter(({ shared }) => !shared);
        const heads = await this.#gateway.interests.add(subs);
        if (this.#client.durable && changes.length > 0) await this.#commit(changes);
        if (this.#client.ended) return;
        settle(codes);
        this.#client.touch();
        for (const change of changes) this.#granted(change, heads);
      } catch (error) {
        refuseToGuess(error);
        this.#gateway.logger.warn({ error }, "a subscription can't be made");
        for (const change of changes.toReversed()) this.#undo(change);
        settle(granted.map(() => REASON.unspecifiedError));
        this.#client.touch();
      }
    });
  }

  unsubscribe(filters: readonly string[], settle: Settle): void {
    this.#run(async () => {
      if (this.#client.ended) return;
      const subs = filters.map((filter) => this.#subs.get(filter));
      const found = new Set(subs.filter((sub) => sub !== undefined));
      try {
        if (this.#client.durable && found.size > 0) await this.#commitEnd([...found]);
        for (const sub of found) this.#drop(sub);
        const none = REASON.noSubscriptionExisted;
        // a filter that is named twice is gone the second time
        const ended = (sub: Sub | undefined, i: number): boolean =>
          sub !== undefined && subs.indexOf(sub) === i;
        settle(subs.map((sub, i) => (ended(sub, i) ? REASON.success : none)));
      } catch (error) {
        refuseToGuess(error);
        this.#gateway.logger.warn({ error }, "a subscription can't be ended");
        for (const sub of found) sub.draining = false;
        settle(filters.map(() => REASON.unspecifiedError));
      }
      this.#client.touch();
    });
  }

  /** The connection is over: no message is for it any more. */
  leave(): void {
    for (const sub of this.#subs.values()) this.#exit(sub);
  }

  /**
   * Shared subscriptions: what was not finished goes to another member. `direct`: only those whose
   * messages no queue keeps, so that none is given to a client that is gone.
   */
  leaveShares(which: "direct" | "all"): void {
    for (const sub of this.#subs.values()) {
      const isDirect = !this.#client.durable || !sub.queued;
      if (sub.shared && (which === "all" || isDirect)) {
        leaveShare(this.#gateway, this.#client, sub);
      }
    }
  }

  /** Settles when no change is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  // --- inside -----------------------------------------------------------------------------------

  #run(change: () => Promise<void>): void {
    this.#queue.push(change);
    if (this.#queue.length >= MOST_WAITING) this.#client.holdForSubscriptions(true);
    this.#running ??= this.#work();
  }

  async #work(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await next();
      } catch (error) {
        this.#gateway.logger.warn({ error }, "subscriptions can't be set up");
        this.#client.connection.fail(REASON.serverUnavailable, "subscriptions can't be set up now");
      }
      if (this.#queue.length < MOST_WAITING / 2) this.#client.holdForSubscriptions(false);
    }
    this.#running = undefined;
  }

  #restored(subscription: Subscription): Sub {
    const parsed = parseFilter(subscription.filter);
    const plain = parsed.ok ? parsed.filter : subscription.filter;
    const sub = new Sub(this.#client, subscription.filter, plain);
    sub.queued = subscription.queued;
    sub.set(subscription);
    sub.starts = subscription.starts;
    sub.active = !subscription.draining;
    sub.draining = subscription.draining;
    if (!subscription.draining) this.#subs.set(sub.filter, sub);
    return sub;
  }

  /** The source of a delivery whose subscription is gone. */
  #nobody(filter: string): Sub {
    const parsed = parseFilter(filter);
    return new Sub(this.#client, filter, parsed.ok ? parsed.filter : filter);
  }

  /**
   * Makes or changes the subscription; from here on live messages match it. Undefined where there
   * are too many: others may have been asked for before this one's turn came.
   */
  #put(request: GrantedSubscription): Change | undefined {
    const { filter, plainFilter } = request;
    const { durable } = this.#client;
    const known = this.#subs.get(filter);
    if (known === undefined) {
      if (this.#subs.size >= this.#gateway.settings.maxSubscriptionsPerSession) return undefined;
      const sub = new Sub(this.#client, filter, plainFilter);
      this.#subs.set(filter, sub);
      sub.queued = durable && request.qos > 0;
      sub.set(request);
      this.#enter(sub);
      return { request, sub, before: undefined, stream: undefined };
    }
    const before = known.state;
    if (durable && request.qos > 0 && !known.queued && !known.shared) {
      // until it has a queue it goes on at QoS 0, and notes how far that brought it
      known.passed = [];
      known.set({ ...request, qos: 0 });
    } else {
      known.set(request);
    }
    this.#enter(known);
    const { retained } = this.#client.outbox;
    const stream = this.#wantsRetained(request, false) ? retained.forget(known) : undefined;
    return { request, sub: known, before, stream };
  }

  #undo({ sub, before, stream }: Change): void {
    sub.passed = undefined;
    if (stream !== undefined) this.#client.outbox.retained.remember(stream);
    if (before === undefined) {
      this.#drop(sub);
    } else {
      sub.queued = before.queued;
      sub.set(before);
      this.#enter(sub);
    }
  }

  #enter(sub: Sub): void {
    if (!sub.shared && !this.#client.ended) this.#gateway.targets.add(sub);
  }

  #exit(sub: Sub): void {
    if (sub.shared) return;
    this.#gateway.targets.remove(sub);
    this.#gateway.interests.forget([sub]);
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    const { incarnation, epoch } = this.#client;
    const result = await this.#gateway.sessions.subscribe({
      incarnation,
      epoch,
      subscriptions: changes.map(({ request, before }) => ({
        filter: request.filter,
        qos: request.qos,
        noLocal: request.noLocal,
        retainAsPublished: request.retainAsPublished,
        retainHandling: request.retainHandling,
        subscriptionIdentifier: request.subscriptionIdentifier,
        sendRetained: this.#wantsRetained(request, before === undefined),
      })),
    });
    for (const [i, { queued, starts }] of result.subscriptions.entries()) {
      const { request, sub } = changes[i] as Change;
      const { passed } = sub;
      sub.passed = undefined;
      sub.starts =
        passed === undefined
          ? starts
          : starts.map((start, shard) => Math.max(start, passed[shard] ?? 0));
      sub.active = true;
      if (sub.queued === queued && sub.qos === request.qos) continue;
      sub.queued = queued;
      sub.set(request);
      this.#enter(sub);
    }
  }

  /** For a filter that may exist already; `isNew` decides for Retain Handling 1. */
  #wantsRetained(request: GrantedSubscription, isNew: boolean): boolean {
    if (request.share !== undefined || !this.#gateway.settings.retainAvailable) return false;
    // [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]
    return request.retainHandling === 0 || (request.retainHandling === 1 && isNew);
  }

  #granted({ request, sub, before }: Change, heads: readonly number[]): void {
    if (sub.shared) joinShare(this.#gateway, this.#client, sub);
    else this.#read(sub);
    if (this.#wantsRetained(request, before === undefined)) {
      this.#client.outbox.retained.send(sub, heads);
    }
  }

  /** Gives the queue to the readers of its shards; they read anew from where they are. */
  #read(sub: Sub): void {
    if (!sub.queued || sub.shared || sub.draining) return;
    const { outbox } = this.#client;
    for (const shard of shardsOfFilter(sub.plainFilter, this.#gateway.shards.shards)) {
      const reader = outbox.reader(shard);
      reader.subs.add(sub);
      reader.generation++;
      outbox.fallBehind(reader);
    }
  }

  async #commitEnd(subs: readonly Sub[]): Promise<void> {
    const { incarnation, epoch } = this.#client;
    // deliveries may begin until it is committed: the session keeps the queue until none is in flight
    for (const sub of subs) sub.draining = sub.queued && !sub.shared;
    await this.#gateway.sessions.unsubscribe({
      incarnation,
      epoch,
      filters: subs.map((sub) => sub.filter),
      draining: subs.filter((sub) => sub.draining).map((sub) => sub.filter),
    });
    for (const sub of subs) {
      if (sub.draining && sub.unfinished === 0) this.#client.subDrained(sub);
    }
  }

  #drop(sub: Sub): void {
    this.#subs.delete(sub.filter);
    this.#client.outbox.retained.forget(sub);
    sub.active = false;
    sub.dropped = true;
    if (sub.shared) leaveShare(this.#gateway, this.#client, sub);
    this.#exit(sub);
    for (const reader of this.#client.outbox.readers) reader?.subs.delete(sub);
  }
}

/**
 * Throws on, which closes the connection, where it may still be done later: an error in the SUBACK or
 * UNSUBACK would be a lie then, and so would success. What comes of it the session says at the next
 * connection, and a client that had no answer asks again.
 */
function refuseToGuess(error: unknown): void {
  if (error instanceof SessionError && error.code === "indeterminate") throw error;
}
