/**
 * What the state has to be, written for being read: every offset alone, every list searched,
 * nothing kept that can be counted.
 */
import type { Command } from "../src/commands.ts";
import {
  EXPIRY_NEVER,
  type Progress,
  type RetainedPosition,
  type RetainedProgress,
  type SessionWill,
  type Unfinished,
} from "../src/port.ts";
import { PLACEMENT, SHARDS } from "./group.ts";

export interface ModelSubscription {
  filter: string;
  qos: number;
  queued: boolean;
  draining: boolean;
  starts: readonly number[];
  retainedUpTo: readonly number[] | undefined;
  retainedAfter: RetainedPosition | undefined;
}

export interface ModelSession {
  clientId: string;
  incarnation: number;
  epoch: number;
  gateway: number;
  durable: boolean;
  expiry: number;
  will: SessionWill | undefined;
  disconnectedAt: number;
  cursors: number[];
  done: Set<string>;
  unfinished: Unfinished[];
  receiptShards: Set<number>;
  subscriptions: ModelSubscription[];
}

type Of<T extends Command["type"]> = Extract<Command, { type: T }>;

export class Model {
  clock = 0;
  sessions: ModelSession[] = [];
  wills: string[] = [];
  ended: number[] = [];
  version = 0;
  gateways: number[] = [];
  stores: number[] = [];
  #made = 0;

  apply(command: Command): void {
    this.clock = Math.max(this.clock, command.at);
    switch (command.type) {
      case "members":
        return this.#members(command);
      case "gateway-down":
        for (const session of this.sessions.slice()) {
          const named = command.sessions.includes(session.incarnation);
          if (!named || session.gateway !== command.gateway) continue;
          session.unfinished = session.unfinished.filter((entry) => !isFinished(session, entry));
          this.#disconnect(session);
        }
        return;
      case "open":
        return this.#open(command);
      case "release":
        return this.#release(command);
      case "subscribe":
        return this.#subscribe(command);
      case "unsubscribe":
        return this.#unsubscribe(command);
      case "progress":
        for (const progress of command.batch) this.#progress(progress);
        return;
      case "deliveries":
        return this.#deliveries(command);
      case "expire":
        for (const key of command.sessions) {
          const session = this.#opening(key);
          if (session && this.#isOver(session)) this.#end(session);
        }
        return;
      case "fire-will":
        for (const key of command.sessions) {
          const session = this.#opening(key);
          if (session && this.#isWillDue(session)) this.#publish(session);
        }
        return;
      case "will-done":
        this.wills = this.wills.filter(
          (will) => !command.wills.some((key) => will === `${key.incarnation}/${key.epoch}`),
        );
        return;
      case "ended-cleaned":
        this.ended = this.ended.filter((one) => !command.incarnations.includes(one));
        return;
      case "tick":
        return;
    }
  }

  #opening(key: { incarnation: number; epoch: number }): ModelSession | undefined {
    return this.sessions.find(
      (session) => session.incarnation === key.incarnation && session.epoch === key.epoch,
    );
  }

  #held(key: { incarnation: number; epoch: number }): ModelSession | undefined {
    const session = this.#opening(key);
    return session && session.gateway !== 0 ? session : undefined;
  }

  #isOver(session: ModelSession): boolean {
    return (
      session.gateway === 0 &&
      session.expiry !== EXPIRY_NEVER &&
      this.clock >= session.disconnectedAt + session.expiry * 1000
    );
  }

  #isWillDue(session: ModelSession): boolean {
    if (session.gateway !== 0 || session.will === undefined) return false;
    const delay = Math.min(session.will.delay, session.expiry);
    return this.clock >= session.disconnectedAt + delay * 1000;
  }

  #publish(session: ModelSession): boolean {
    if (session.will === undefined) return false;
    session.will = undefined;
    this.wills.push(`${session.incarnation}/${session.epoch}`);
    return true;
  }

  #end(session: ModelSession): void {
    const published = this.#publish(session);
    this.sessions = this.sessions.filter((other) => other !== session);
    if (published || session.durable) this.ended.push(session.incarnation);
  }

  #members(command: Of<"members">): void {
    if (command.version <= this.version) return;
    this.version = command.version;
    const { gatewaysUp, gatewaysGone, storesUp, storesDown } = command;
    this.gateways = after(this.gateways, gatewaysUp, gatewaysGone);
    this.stores = after(this.stores, storesUp, storesDown);
  }

  #open({ request }: Of<"open">): void {
    let session = this.sessions.find(({ clientId }) => clientId === request.clientId);
    if (!this.gateways.includes(request.gateway) || (session && session.gateway !== 0)) return;
    if (session && (request.cleanStart || this.#isOver(session))) {
      this.#end(session);
      session = undefined;
    }
    if (session && this.#isWillDue(session)) this.#publish(session);
    if (!session) {
      session = {
        clientId: request.clientId,
        incarnation: ++this.#made * PLACEMENT.groups + PLACEMENT.group - 1,
        epoch: 0,
        gateway: 0,
        durable: request.expiry > 0,
        expiry: 0,
        will: undefined,
        disconnectedAt: 0,
        cursors: Array.from({ length: SHARDS }, () => 0),
        done: new Set(),
        unfinished: [],
        receiptShards: new Set(),
        subscriptions: [],
      };
      this.sessions.push(session);
    }
    session.epoch++;
    session.gateway = request.gateway;
    session.expiry = request.expiry;
    session.will = request.will;
  }

  #disconnect(session: ModelSession): void {
    session.gateway = 0;
    session.disconnectedAt = this.clock;
    session.subscriptions = session.subscriptions.filter(
      ({ filter, draining }) =>
        !draining ||
        session.unfinished.some(({ queue, source }) => source === "queue" && queue === filter),
    );
    if (session.expiry === 0) this.#end(session);
    else if (this.#isWillDue(session)) this.#publish(session);
  }

  #release({ request }: Of<"release">): void {
    const session = this.#held(request);
    if (!session) return;
    this.#progress(request);
    const known = session.unfinished.filter(({ qos }) => qos === 2);
    for (const entry of request.unfinished) {
      const at = known.findIndex(({ packetId }) => packetId === entry.packetId);
      if (at >= 0) known.push(...known.splice(at, 1));
      else if (entry.qos === 1 && !entry.queue.startsWith("$share/")) known.push(entry);
    }
    session.unfinished = known;
    if (request.receiptShards) session.receiptShards = new Set(request.receiptShards);
    if (request.will === "drop") session.will = undefined;
    if (request.expiry !== undefined && session.expiry !== 0) session.expiry = request.expiry;
    this.#disconnect(session);
  }

  #subscribe({ heads, requests }: Of<"subscribe">): void {
    for (const request of requests) {
      const session = this.#held(request);
      if (!session?.durable) continue;
      for (const { filter, qos, sendRetained } of request.subscriptions) {
        let subscription = session.subscriptions.find((other) => other.filter === filter);
        if (!subscription) {
          subscription = {
            filter,
            qos,
            queued: false,
            draining: false,
            starts: heads,
            retainedUpTo: undefined,
            retainedAfter: undefined,
          };
          session.subscriptions.push(subscription);
        }
        const begins = subscription.draining || !subscription.queued;
        if (begins) subscription.starts = heads;
        subscription.qos = qos;
        subscription.draining = false;
        subscription.queued ||= qos > 0;
        if (sendRetained) subscription.retainedUpTo = heads;
        if (sendRetained) subscription.retainedAfter = undefined;
      }
    }
  }

  #unsubscribe({ request }: Of<"unsubscribe">): void {
    const session = this.#held(request);
    if (!session) return;
    for (const filter of request.filters) {
      const subscription = session.subscriptions.find((other) => other.filter === filter);
      if (!subscription || subscription.draining) continue;
      const inFlight = request.draining.includes(filter) || isOwed(session, filter);
      if (subscription.queued && inFlight) {
        subscription.draining = true;
        subscription.retainedUpTo = undefined;
        subscription.retainedAfter = undefined;
      } else {
        session.subscriptions = session.subscriptions.filter((other) => other !== subscription);
      }
    }
  }

  #progress(progress: Progress): void {
    const session = this.#held(progress);
    if (!session) return;
    for (let i = 0; i < progress.cursors.length; i += 2) {
      const shard = progress.cursors[i] as number;
      session.cursors[shard] = Math.max(
        session.cursors[shard] as number,
        progress.cursors[i + 1] as number,
      );
    }
    for (const { shard, ranges } of progress.done) {
      for (let i = 0; i < ranges.length; i += 2) {
        for (let n = ranges[i] as number; n <= (ranges[i + 1] as number); n++) {
          session.done.add(`${shard}:${n}`);
        }
      }
    }
    dropBelow(session);
    session.unfinished = session.unfinished.filter((entry) => !isFinished(session, entry));
    for (const filter of progress.drained) {
      session.subscriptions = session.subscriptions.filter(
        (other) => other.filter !== filter || !other.draining || isOwed(session, filter),
      );
    }
    this.#retainedAfter(session, progress.retainedAfter);
    for (const subscription of session.subscriptions) {
      if (!progress.retainedSent.includes(subscription.filter)) continue;
      subscription.retainedUpTo = undefined;
      subscription.retainedAfter = undefined;
    }
  }

  #retainedAfter(session: ModelSession, positions: readonly RetainedProgress[]): void {
    for (const { filter, shard, topic } of positions) {
      for (const subscription of session.subscriptions) {
        const isAwaited = subscription.filter === filter && subscription.retainedUpTo;
        if (isAwaited && shard < SHARDS) subscription.retainedAfter = { shard, topic };
      }
    }
  }

  #deliveries({ batch }: Of<"deliveries">): void {
    for (const changes of batch) {
      const session = this.#held(changes);
      if (!session) continue;
      for (const packetId of changes.completed) {
        const entry = session.unfinished.find((one) => one.packetId === packetId);
        session.unfinished = session.unfinished.filter((one) => one !== entry);
        if (entry?.source !== "queue" || entry.queue.startsWith("$share/")) continue;
        session.done.add(`${entry.shard}:${entry.offset}`);
      }
      dropBelow(session);
      for (const packetId of changes.received) {
        session.unfinished = session.unfinished.map((entry) =>
          entry.packetId === packetId && entry.qos === 2 ? { ...entry, received: true } : entry,
        );
      }
      for (const entry of changes.assigned) {
        session.unfinished = session.unfinished.filter((one) => one.packetId !== entry.packetId);
        session.unfinished.push(entry);
      }
      this.#retainedAfter(session, changes.retainedAfter);
      for (const shard of changes.receiptShards ?? []) session.receiptShards.add(shard);
    }
  }
}

function after(members: number[], up: readonly number[], down: readonly number[]): number[] {
  const all = [...members, ...up.filter((one) => !members.includes(one))];
  return all.filter((one) => !down.includes(one));
}

function isOwed(session: ModelSession, filter: string): boolean {
  return session.unfinished.some(
    ({ qos, source, queue }) => qos === 2 && source === "queue" && queue === filter,
  );
}

function isFinished(session: ModelSession, entry: Unfinished): boolean {
  if (entry.qos === 2 || entry.source !== "queue" || entry.queue.startsWith("$share/"))
    return false;
  const cursor = session.cursors[entry.shard] as number;
  return entry.offset <= cursor || session.done.has(`${entry.shard}:${entry.offset}`);
}

function dropBelow(session: ModelSession): void {
  for (const key of session.done) {
    const [shard, offset] = key.split(":").map(Number) as [number, number];
    if (offset <= (session.cursors[shard] as number)) session.done.delete(key);
  }
}
