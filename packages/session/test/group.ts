/** A session state with a clock and short words for its commands, and what its effects were. */
import type { Command, MembersCommand } from "../src/commands.ts";
import { decodeCommand } from "../src/decode.ts";
import type { SessionDetails } from "../src/describe.ts";
import type { EffectSink, PendingWill } from "../src/effects.ts";
import { encodeCommand } from "../src/encode.ts";
import type { Placement } from "../src/placement.ts";
import type {
  NewSubscription,
  Opened,
  OpenRequest,
  Progress,
  ReleaseRequest,
  RetainedProgress,
  SubscribeResult,
  Unfinished,
} from "../src/port.ts";
import { type Results, SessionState } from "../src/state.ts";

export const SHARDS = 4;
/** One group of several. */
export const PLACEMENT: Placement = { shards: SHARDS, groups: 3, group: 2 };
const ALONE: Placement = { shards: SHARDS, groups: 1, group: 1 };

export class Effects implements EffectSink {
  readonly routes = new Set<string>();
  /** As they came: "+filter" or "-filter". */
  readonly routeLog: string[] = [];
  readonly deadlines = new Map<number, number>();
  readonly releasedClients: string[] = [];
  readonly wills: PendingWill[] = [];
  readonly endedSessions: number[] = [];

  route(filter: string, add: boolean): void {
    this.routeLog.push(`${add ? "+" : "-"}${filter}`);
    if (add === this.routes.has(filter)) throw new Error(`route ${filter} told twice`);
    if (add) this.routes.add(filter);
    else this.routes.delete(filter);
  }

  deadline(incarnation: number, at: number): void {
    if (at === 0) this.deadlines.delete(incarnation);
    else this.deadlines.set(incarnation, at);
  }

  released(clientId: string): void {
    this.releasedClients.push(clientId);
  }

  willPending(will: PendingWill): void {
    this.wills.push(will);
  }

  ended(incarnation: number): void {
    this.endedSessions.push(incarnation);
  }
}

type Untimed<C> = C extends unknown ? Omit<C, "at"> : never;

export class Group {
  readonly effects = new Effects();
  state: SessionState = SessionState.create(ALONE, this.effects);
  /** Milliseconds. */
  now = 0;
  readonly gateway: number;

  constructor() {
    this.gateway = this.up();
  }

  /** A new gateway's incarnation. */
  up(): number {
    const version = this.state.version + 1;
    this.members(version, { gatewaysUp: [version] });
    return version;
  }

  members(version: number, changes: Partial<MembersCommand>): boolean {
    const nothing = { gatewaysUp: [], gatewaysGone: [], storesUp: [], storesDown: [] };
    return this.apply({ type: "members", ...nothing, ...changes, version });
  }

  /** By its bytes, as a command always comes. */
  apply<C extends Untimed<Command>>(command: C): Results[C["type"]] {
    const timed = { ...command, at: this.now } as unknown as Command;
    return this.state.apply(decodeCommand(encodeCommand(timed))) as Results[C["type"]];
  }

  open(changes: Partial<OpenRequest> = {}): Opened {
    const result = this.tryOpen(changes);
    if (result.status !== "opened") throw new Error(`open: ${result.status}`);
    return result.opened;
  }

  tryOpen(changes: Partial<OpenRequest> = {}): Results["open"] {
    const request: OpenRequest = {
      clientId: "client",
      gateway: this.gateway,
      requestId: 0,
      cleanStart: false,
      expiry: 3600,
      will: undefined,
      user: undefined,
      ...changes,
    };
    return this.apply({ type: "open", request });
  }

  release(opened: Opened, changes: Partial<ReleaseRequest> = {}): boolean {
    const request: ReleaseRequest = {
      ...progressOf(opened),
      will: "publish",
      expiry: undefined,
      unfinished: [],
      ...changes,
    };
    return this.apply({ type: "release", request });
  }

  down(gateway: number, ...sessions: Opened[]): number {
    const incarnations = sessions.map(({ incarnation }) => incarnation);
    return this.apply({ type: "gateway-down", gateway, sessions: incarnations });
  }

  subscribe(
    opened: Opened,
    filters: readonly (string | Partial<NewSubscription>)[],
    heads: readonly number[] = [100, 100, 100, 100],
  ): SubscribeResult | undefined {
    const { incarnation, epoch } = opened;
    const subscriptions = filters.map(newSubscription);
    return this.apply({
      type: "subscribe",
      heads,
      requests: [{ incarnation, epoch, subscriptions }],
    })[0];
  }

  unsubscribe(
    opened: Opened,
    filters: readonly string[],
    draining: readonly string[] = [],
  ): readonly boolean[] | undefined {
    const { incarnation, epoch } = opened;
    return this.apply({ type: "unsubscribe", request: { incarnation, epoch, filters, draining } });
  }

  progress(opened: Opened, changes: Partial<Progress>): number {
    return this.apply({ type: "progress", batch: [{ ...progressOf(opened), ...changes }] });
  }

  deliver(
    opened: Opened,
    changes: {
      completed?: number[];
      received?: number[];
      assigned?: Unfinished[];
      retainedAfter?: RetainedProgress[];
      receiptShards?: number[];
    },
  ): number {
    const { incarnation, epoch } = opened;
    const nothing = { completed: [], received: [], assigned: [], retainedAfter: [] };
    const batch = [{ incarnation, epoch, ...nothing, ...changes }];
    return this.apply({ type: "deliveries", batch });
  }

  expire(...sessions: Opened[]): number {
    return this.apply({ type: "expire", sessions: sessions.map(keyOf) });
  }

  fireWill(...sessions: Opened[]): number {
    return this.apply({ type: "fire-will", sessions: sessions.map(keyOf) });
  }

  details(opened: Opened): SessionDetails {
    const details = this.state.inspect(opened.incarnation);
    if (details === undefined) throw new Error("the session is no more");
    return details;
  }
}

function keyOf({ incarnation, epoch }: Opened): { incarnation: number; epoch: number } {
  return { incarnation, epoch };
}

export function progressOf({ incarnation, epoch }: Opened): Progress {
  const nothing = { cursors: [], done: [], drained: [], retainedAfter: [], retainedSent: [] };
  return { incarnation, epoch, ...nothing };
}

export function newSubscription(changes: string | Partial<NewSubscription>): NewSubscription {
  return {
    filter: "f",
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    subscriptionIdentifier: 0,
    sendRetained: false,
    ...(typeof changes === "string" ? { filter: changes } : changes),
  };
}

/** A delivery in flight; QoS 2 from the queue "f" of shard 1 unless told otherwise. */
export function delivery(
  packetId: number,
  offset: number,
  changes: Partial<Unfinished> = {},
): Unfinished {
  return {
    packetId,
    offset,
    qos: 2,
    received: false,
    source: "queue",
    queue: "f",
    shard: 1,
    ...changes,
  };
}

export function will(text: string, delay = 0, expiry?: number): OpenRequest["will"] {
  return { record: Buffer.from(text), delay, expiry };
}

/** The same value for equal states, however they came about. */
export function dump(state: SessionState): unknown {
  const sessions = [...state.sessions()]
    .map(({ incarnation }) => normal(state.inspect(incarnation) as SessionDetails))
    .sort((a, b) => a.incarnation - b.incarnation);
  return {
    clock: state.clock,
    counts: state.counts(),
    version: state.version,
    gateways: [...state.gateways()],
    stores: [...state.stores()],
    wills: [...state.pendingWills()].map((pending) => ({
      ...pending,
      record: Buffer.from(pending.record).toString("hex"),
    })),
    ended: [...state.ended()],
    routes: [...state.routes()].sort(),
    sessions,
  };
}

function normal(details: SessionDetails): SessionDetails & { readonly record: string | undefined } {
  const { will: kept } = details;
  return {
    ...details,
    done: [...details.done].sort((a, b) => a.shard - b.shard),
    record: kept && Buffer.from(kept.record).toString("hex"),
    will: kept && { ...kept, record: new Uint8Array() },
  };
}
