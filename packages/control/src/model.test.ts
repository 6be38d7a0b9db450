/** What holds after any commands. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { likelyCommand, type Step, scripts } from "../test/arbitrary.ts";
import type { ShardPlace, WholeView } from "./change.ts";
import type { Command } from "./commands.ts";
import { decodeCommand } from "./decode.ts";
import { encodeCommand } from "./encode.ts";
import { SnapshotReader } from "./restore.ts";
import { type Applied, ControlState } from "./state.ts";
import { ClusterView } from "./view.ts";

const WINDOW = 20;

/** Runs a script; versions have gaps, as other entries of the log have some. */
function run(
  steps: readonly Step[],
  each: (state: ControlState, command: Command, version: number, applied: Applied) => void,
): ControlState {
  const state = ControlState.create(WINDOW);
  let version = 1;
  for (const step of steps) {
    version += 1 + ((step[6] ?? 0) % 3);
    const command = decodeCommand(encodeCommand(likelyCommand(state.view, step)));
    each(state, command, version, state.apply(command, version));
  }
  return state;
}

test("versions and epochs only grow, and a shard's owner is one live store process that may have it", () => {
  fc.assert(
    fc.property(scripts, (steps) => {
      let version = 0;
      let before: readonly ShardPlace[] = [];
      run(steps, (state, _command, at, { changes }) => {
        const mayBe = changes.length > 0 ? [at] : [version, at];
        expect(mayBe).toContain(state.version);
        version = state.version;
        const places = state.view.places();
        expect(places).toHaveLength(state.view.shards);
        expect(before.length === 0 || before.length === places.length).toBe(true);
        for (const place of places) checkPlace(state, place, before[place.shard]);
        before = [...places];
      });
    }),
    { numRuns: 200 },
  );
});

function checkPlace(state: ControlState, place: ShardPlace, before: ShardPlace | undefined): void {
  const was = before ?? { epoch: 0, owner: 0, home: "" };
  const owner = state.view.member(place.owner);
  expect(place.epoch).toBeGreaterThanOrEqual(was.epoch);
  // A new owner has an epoch that nobody else had.
  const isNew = place.owner !== was.owner && place.owner !== 0;
  expect(isNew && place.epoch === was.epoch).toBe(false);
  // Once it lives on a disk it stays there.
  expect(was.home === "" || place.home === was.home).toBe(true);
  expect(place.owner === 0 || owner?.kind === "store").toBe(true);
  expect(place.owner === 0 || place.home === "" || place.home === owner?.disk).toBe(true);
}

test("no epoch of a shard is given twice, also within one command", () => {
  fc.assert(
    fc.property(scripts, (steps) => {
      const owners = new Map<string, number>();
      run(steps, (_state, _command, _at, { changes }) => {
        for (const change of changes) {
          if (change.type !== "shard" || change.place.owner === 0) continue;
          const { shard, epoch, owner } = change.place;
          expect(owners.get(`${shard}/${epoch}`) ?? owner).toBe(owner);
          owners.set(`${shard}/${epoch}`, owner);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test("no two live gateways have a name, and no two live store processes a disk", () => {
  fc.assert(
    fc.property(scripts, (steps) => {
      run(steps, ({ view }) => {
        const names = view.gateways().map(({ name }) => name);
        const disks = view.stores().flatMap(({ disk }) => (disk === "" ? [] : [disk]));
        expect(new Set(names).size).toBe(names.length);
        expect(new Set(disks).size).toBe(disks.length);
      });
    }),
    { numRuns: 300 },
  );
});

test("an id of a replica is one node's with one disk for ever, and a node is left over", () => {
  fc.assert(
    fc.property(scripts, (steps) => {
      const given = new Map<number, string>();
      let last = 0;
      run(steps, ({ view }, _command, _at, { changes }) => {
        for (const change of changes) {
          if (change.type !== "node" || change.node.replica === 0) continue;
          const { name, disk, replica } = change.node;
          expect(given.get(replica) ?? `${name} ${disk}`).toBe(`${name} ${disk}`);
          expect(given.has(replica) || replica > last || last <= 2).toBe(true);
          given.set(replica, `${name} ${disk}`);
          last = Math.max(last, replica);
        }
        const entries = [...view.nodeEntries()];
        const isThere = entries.map(({ replica }) => replica > 0);
        expect(isThere).toEqual(entries.map(({ name }) => view.node(name) !== undefined));
        expect(entries.length === 0 || entries.some((one) => one.standing === "member")).toBe(true);
      });
    }),
    { numRuns: 200 },
  );
});

test("a replay, and a snapshot with what follows it, give the same state and the same answers", () => {
  fc.assert(
    fc.property(scripts, fc.nat(79), (steps, at) => {
      const done: { command: Command; version: number; applied: Applied }[] = [];
      let snapshot: IterableIterator<Uint8Array> | undefined;
      let taken = 0;
      const state = run(steps, (now, command, version, applied) => {
        done.push({ command, version, applied });
        if (snapshot === undefined && done.length > at % steps.length) {
          // It is read later: what it shows is the state of now.
          snapshot = now.snapshot();
          taken = done.length;
        }
      });
      const reader = new SnapshotReader();
      for (const chunk of snapshot ?? []) reader.push(chunk);
      const restored = reader.finish();
      const replayed = ControlState.create();
      for (const { command, version, applied } of done) {
        expect(replayed.apply(command, version)).toEqual(applied);
      }
      for (const { command, version, applied } of done.slice(taken)) {
        expect(restored.apply(command, version)).toEqual(applied);
      }
      expect(replayed.whole()).toEqual(state.whole());
      expect(restored.whole()).toEqual(state.whole());
    }),
    { numRuns: 200 },
  );
});

test("a view built from changes, or whole ones, at any pace is the view of the state", () => {
  fc.assert(
    fc.property(scripts, (steps) => {
      const eager = new ClusterView();
      const lazy = new ClusterView();
      const told = new ClusterView();
      lazy.listen((changes, version) => {
        // What listeners hear of a whole view leads to it as well.
        if (told.version === 0) told.load({ ...empty(lazy.whole()), version: 1 });
        told.apply(changes, version);
      });
      run(steps, (state, _command, version) => {
        if (state.version === 0) return;
        follow(eager, state);
        expect(eager.whole()).toEqual(state.whole());
        if (version % 4 > 0) return;
        follow(lazy, state);
        expect(sorted(lazy.whole())).toEqual(sorted(state.whole()));
        expect(heard(told)).toEqual(heard(state));
      });
    }),
    { numRuns: 200 },
  );
});

function follow(view: ClusterView, state: ControlState): void {
  const changes = view.version === 0 ? undefined : state.changesSince(view.version);
  if (changes === undefined) view.load(state.whole());
  else view.apply(changes, state.version);
}

function empty(whole: WholeView): WholeView {
  const places = whole.places.map(({ shard }) => ({ shard, owner: 0, epoch: 0, home: "" }));
  return { ...whole, members: [], down: [], places, nodes: [], bans: [] };
}

/** Of changes that come with a whole view, when each gateway went down is not known. */
function heard(of: { whole(): WholeView }): WholeView {
  const whole = of.whole();
  return sorted({ ...whole, down: whole.down.map((one) => ({ ...one, since: 0 })) });
}

/** Whoever loaded a whole view may have entries that were replaced in another order. */
function sorted(whole: WholeView): WholeView {
  const byText = <T>(items: readonly T[]): T[] =>
    [...items].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const { members, nodes, bans, down } = whole;
  return {
    ...whole,
    members: byText(members),
    nodes: byText(nodes),
    bans: byText(bans),
    down: byText(down),
  };
}
