import { REASON } from "@canopy/codec";
import { DELIVERY, Delivery, type GrantedSubscription } from "@canopy/connection";
import type { Opened, Subscription } from "@canopy/session";
import type { Returned } from "@canopy/store";
import { parseFilter, shardsOfFilter } from "@canopy/topic";
import type { Client } from "../client.ts";
import { sendRetained } from "../delivery/retained.ts";
import { Sub, type SubDelivery } from "../delivery/sub.ts";
import type { Gateway } from "../gateway.ts";
import { resend } from "./resume.ts";

type Settle = (codes: readonly number[]) => void;

/** The subscriptions of one connected session, changed one SUBSCRIBE or UNSUBSCRIBE at a time. */
export class Subscriptions {
  readonly #client: Client;
  readonly #gateway: Gateway;
  readonly #subs = new Map<string, Sub>();
  /** Unfinished deliveries of an earlier connection, in the order in which they were sent. */
  #unfinished: SubDelivery[] = [];
  /** Retained values that an earlier connection did not get to the end of. */
  #retained: { sub: Sub; upTo: readonly number[] }[] = [];
  #queue: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined = undefined;
  #left = false;

  constructor(client: Client, gateway: Gateway) {
    this.#client = client;
    this.#gateway = gateway;
  }

  get size(): number {
    return this.#subs.size;
  }

  has(filter: string): boolean {
    return this.#subs.has(filter);
  }

  /** Takes over what the session state knows, before CONNACK. */
  restore(opened: Opened): void {
    const { outbox } = this.#client;
    const sources = new Map<string, Sub>();
    for (const subscription of opened.subscriptions) {
      const sub = this.#restored(subscription);
      sources.set(sub.filter, sub);
      if (subscription.retainedUpTo !== undefined && !sub.draining) {
        this.#retained.push({ sub, upTo: subscription.retainedUpTo });
      }
    }
    const done = new Map(opened.done.map(({ shard, ranges }) => [shard, ranges]));
    const byShard = new Map<number, SubDelivery[]>();
    for (const entry of opened.unfinished) {
      const { qos, queue, shard, offset, packetId, received, source } = entry;
      const topic = source === "retained" ? queue : undefined;
      const sub = sources.get(queue) ?? this.#nobody(queue);
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
      for (const sub of subs) if (sub.shared) this.#join(sub);
      for (const { sub, upTo } of this.#retained.splice(0)) this.#sendRetained(sub, upTo);
      outbox.pump();
    });
  }

  subscribe(granted: readonly GrantedSubscription[], settle: Settle): void {
    this.#run(async () => {
      if (this.#client.ended) return;
      const before = granted.map((request) => this.#subs.get(request.filter));
      const subs = granted.map((request) => this.#put(request));
      const added = subs.filter((sub, i) => before[i] === undefined && subs.indexOf(sub) === i);
      try {
        const heads = await this.#gateway.interests.add(added.filter((sub) => !sub.shared));
        if (this.#client.durable) await this.#commit(granted, subs);
        if (this.#client.ended) return;
        settle(granted.map(({ qos }) => qos));
        this.#client.touch();
        for (const [i, request] of granted.entries()) {
          this.#granted(request, subs[i] as Sub, before[i] !== undefined, heads);
        }
      } catch (error) {
        this.#gateway.logger.warn({ error }, "a subscription can't be made");
        for (const sub of added) this.#drop(sub);
        settle(granted.map(() => REASON.unspecifiedError));
        this.#client.touch();
      }
    });
  }

  unsubscribe(filters: readonly string[], settle: Settle): void {
    this.#run(async () => {
      if (this.#client.ended) return;
      // as if they came one after the other: a filter is there once [MQTT-3.10.4-6]
      const left = new Set(filters);
      const subs = filters.map((filter) =>
        left.delete(filter) ? this.#subs.get(filter) : undefined,
      );
      const found = subs.filter((sub) => sub !== undefined);
      try {
        if (this.#client.durable && found.length > 0) await this.#commitEnd(found);
        for (const sub of found) this.#drop(sub);
        const none = REASON.noSubscriptionExisted;
        settle(subs.map((sub) => (sub === undefined ? none : REASON.success)));
      } catch (error) {
        this.#gateway.logger.warn({ error }, "a subscription can't be ended");
        settle(filters.map(() => REASON.unspecifiedError));
      }
      this.#client.touch();
    });
  }

  /** The connection is over: no message is for it any more. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    const entered = [...this.#subs.values()];
    for (const sub of entered) {
      if (!sub.shared) this.#gateway.targets.remove(sub);
    }
    this.#gateway.interests.forget(entered.filter((sub) => !sub.shared));
  }

  /** Shared subscriptions: what was not finished goes to another member. */
  leaveShares(): void {
    for (const sub of this.#subs.values()) if (sub.shared) this.#leaveShare(sub);
  }

  /** Settles when no change is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  // --- inside -----------------------------------------------------------------------------------

  #run(change: () => Promise<void>): void {
    this.#queue.push(change);
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

  /** Makes or changes the subscription; from here on live messages match it. */
  #put(request: GrantedSubscription): Sub {
    const { filter, plainFilter } = request;
    let sub = this.#subs.get(filter);
    if (sub === undefined) {
      sub = new Sub(this.#client, filter, plainFilter);
      this.#subs.set(filter, sub);
    }
    if (this.#client.durable && request.qos > 0) sub.queued = true;
    sub.set(request);
    this.#enter(sub);
    return sub;
  }

  #enter(sub: Sub): void {
    if (!sub.shared && !this.#client.ended) this.#gateway.targets.add(sub);
  }

  async #commit(granted: readonly GrantedSubscription[], subs: readonly Sub[]): Promise<void> {
    const { incarnation, epoch } = this.#client;
    const result = await this.#gateway.sessions.subscribe({
      incarnation,
      epoch,
      subscriptions: granted.map((request) => ({
        filter: request.filter,
        qos: request.qos,
        noLocal: request.noLocal,
        retainAsPublished: request.retainAsPublished,
        retainHandling: request.retainHandling,
        subscriptionIdentifier: request.subscriptionIdentifier,
        sendRetained: this.#wantsRetained(request, request.retainHandling === 1),
      })),
    });
    for (const [i, subscription] of result.subscriptions.entries()) {
      const sub = subs[i] as Sub;
      sub.starts = subscription.starts;
      sub.active = true;
      if (sub.queued !== subscription.queued) {
        sub.queued = subscription.queued;
        sub.set(sub);
        this.#enter(sub);
      }
    }
  }

  /** For a filter that may exist already; `isNew` decides for Retain Handling 1. */
  #wantsRetained(request: GrantedSubscription, isNew: boolean): boolean {
    if (request.share !== undefined || !this.#gateway.settings.retainAvailable) return false;
    // [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]
    return request.retainHandling === 0 || (request.retainHandling === 1 && isNew);
  }

  #granted(
    request: GrantedSubscription,
    sub: Sub,
    existed: boolean,
    heads: readonly number[],
  ): void {
    if (sub.shared) this.#join(sub);
    else this.#read(sub);
    if (this.#wantsRetained(request, !existed)) this.#sendRetained(sub, heads);
    else if (this.#client.durable && this.#wantsRetained(request, true)) {
      this.#client.retainedSent.push(sub.filter);
      this.#client.progressed();
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

  #sendRetained(sub: Sub, upTo: readonly number[]): void {
    sendRetained(this.#gateway, this.#client, sub, upTo).catch((error: unknown) => {
      this.#gateway.logger.error({ error }, "sending retained messages failed");
    });
  }

  async #commitEnd(subs: readonly Sub[]): Promise<void> {
    const { incarnation, epoch } = this.#client;
    for (const sub of subs) sub.draining = sub.unfinished > 0;
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
    sub.active = false;
    if (sub.shared) {
      this.#leaveShare(sub);
    } else {
      this.#gateway.targets.remove(sub);
      this.#gateway.interests.forget([sub]);
    }
    for (const reader of this.#client.outbox.readers) reader?.subs.delete(sub);
  }

  #join(sub: Sub): void {
    const client = this.#client;
    if (client.ended) return;
    if (sub.member !== 0) this.#leaveShare(sub); // with other options: as a new member
    sub.member = this.#gateway.newMember(sub);
    this.#gateway.shards.join(this.#gateway.incarnation, {
      member: sub.member,
      filter: sub.filter,
      durable: client.durable && sub.queued,
      qos: sub.qos,
      clientId: client.connection.clientId,
      window: client.connection.window.limit,
    });
  }

  #leaveShare(sub: Sub): void {
    const { member } = sub;
    if (member === 0) return;
    sub.member = 0;
    const client = this.#client;
    const keep: { shard: number; offset: number }[] = [];
    for (const { source, qos, shard, offset } of client.connection.window.all()) {
      if (source === sub && qos === 2 && offset !== 0) keep.push({ shard, offset });
    }
    const returned: Returned[] = client.outbox
      .unsettled(sub)
      .map(({ record, topic }) => ({ filter: sub.filter, record, topic }));
    this.#gateway.dropMember(member);
    this.#gateway.shards.leave(this.#gateway.incarnation, member, keep, returned);
  }
}
