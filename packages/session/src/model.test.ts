import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Effects, PLACEMENT, SHARDS } from "../test/group.ts";
import { Model, type ModelSession } from "../test/model.ts";
import { FILTERS, Script, scripts } from "../test/script.ts";
import { decodeCommand } from "./decode.ts";
import type { SessionDetails } from "./describe.ts";
import { encodeCommand } from "./encode.ts";
import { EXPIRY_NEVER } from "./port.ts";
import { SessionState } from "./state.ts";

test("any commands lead to what the model says, and effects to what the state says", () => {
  fc.assert(
    fc.property(scripts, (steps) => {
      const effects = new Effects();
      const state = SessionState.create(PLACEMENT, effects);
      const model = new Model();
      const script = new Script();
      for (const step of steps) {
        const command = decodeCommand(encodeCommand(script.command(step)));
        script.answered(command, state.apply(command));
        model.apply(command);
        compare(state, model, effects);
      }
    }),
    { numRuns: 1_500 },
  );
}, 30_000);

function compare(state: SessionState, model: Model, effects: Effects): void {
  const sessions = [...state.sessions()]
    .map(({ incarnation }) => seen(state.inspect(incarnation) as SessionDetails))
    .sort((a, b) => a.incarnation - b.incarnation);
  same(sessions, model.sessions.map(expected));
  same([...state.ended()], model.ended);
  const wills = [...state.pendingWills()].map(
    ({ incarnation, epoch }) => `${incarnation}/${epoch}`,
  );
  same(wills, model.wills);
  same(state.version, model.version);
  same([...state.gateways()], model.gateways);
  same([...state.stores()], model.stores);
  compareCounts(state, model);
  compareRoutes(state, model, effects);
  compareDeadlines(state, effects);
}

function seen(details: SessionDetails) {
  const { user: _user, willAt: _willAt, expiresAt: _expiresAt, ...rest } = details;
  return {
    ...rest,
    will: details.will?.record[0],
    done: details.done
      .flatMap(({ shard, ranges }) => expand(ranges).map((offset) => `${shard}:${offset}`))
      .sort(),
    subscriptions: details.subscriptions.map(
      ({ filter, qos, queued, draining, starts, retainedUpTo, retainedAfter }) => ({
        filter,
        qos,
        queued,
        draining,
        starts,
        retainedUpTo,
        retainedAfter,
      }),
    ),
  };
}

function expected(session: ModelSession) {
  const { disconnectedAt: _at, ...rest } = session;
  const receiptShards = [...session.receiptShards].sort((a, b) => a - b);
  return { ...rest, will: session.will?.record[0], done: [...session.done].sort(), receiptShards };
}

function expand(ranges: readonly number[]): number[] {
  const offsets: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    for (let n = ranges[i] as number; n <= (ranges[i + 1] as number); n++) offsets.push(n);
  }
  return offsets;
}

function compareCounts(state: SessionState, { sessions }: Model): void {
  same(state.counts(), {
    sessions: sessions.length,
    connected: sessions.filter(({ gateway }) => gateway !== 0).length,
    durable: sessions.filter(({ durable }) => durable).length,
    subscriptions: sessions.flatMap(({ subscriptions }) => subscriptions).length,
  });
}

function compareRoutes(state: SessionState, model: Model, effects: Effects): void {
  const routes = new Set(
    model.sessions
      .flatMap(({ subscriptions }) => subscriptions)
      .filter(({ queued }) => queued)
      .map(({ filter }) => filter),
  );
  same(effects.routes, routes);
  same(new Set(state.routes()), routes);
  for (const filter of FILTERS) {
    for (let shard = 0; shard < SHARDS; shard++) {
      same(state.lowest(filter, shard), lowest(model, filter, shard));
    }
  }
}

function lowest(model: Model, filter: string, shard: number): number | undefined {
  const isShared = filter.startsWith("$share/");
  const needed: number[] = [];
  let found = false;
  for (const session of model.sessions) {
    const held = session.subscriptions.find((one) => one.filter === filter && one.queued);
    if (held === undefined) continue;
    found = true;
    const own = Math.max(session.cursors[shard] as number, held.starts[shard] as number);
    if (!isShared) needed.push(own);
    for (const entry of session.unfinished) {
      const isHere = entry.source === "queue" && entry.queue === filter && entry.shard === shard;
      if (isHere && (entry.qos === 2 || !isShared)) needed.push(entry.offset - 1);
    }
  }
  return found ? Math.min(Number.MAX_SAFE_INTEGER, ...needed) : undefined;
}

/** What a timer is told is what the state would do by itself. */
function compareDeadlines(state: SessionState, effects: Effects): void {
  const due = new Map<number, number>();
  for (const { incarnation, deadline, gateway, expiry, expiresAt } of state.sessions()) {
    if (deadline !== 0) due.set(incarnation, deadline);
    if (gateway !== 0) same(deadline, 0);
    else same(expiresAt !== 0, expiry !== EXPIRY_NEVER);
  }
  same(effects.deadlines, due);
}

/** As toEqual, but fast where it holds: this is asked a million times. */
function same(actual: unknown, wanted: unknown): void {
  if (!isDeepStrictEqual(actual, wanted)) expect(actual).toEqual(wanted);
}
