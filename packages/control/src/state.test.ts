import { DecodeError } from "@canopy/base";
import { describe, expect, test } from "vitest";
import type { Command } from "./commands.ts";
import type { JoinRequest, NodeWish } from "./port.ts";
import { SnapshotReader } from "./restore.ts";
import { ControlState } from "./state.ts";

function created(): ControlState {
  const state = ControlState.create();
  state.apply({ type: "create", shards: 3, groups: 2 }, 2);
  return state;
}

function gateway(name: string, token: string): JoinRequest & { readonly type: "join" } {
  return { type: "join", kind: "gateway", name, address: "", disk: "", token };
}

function store(name: string, disk: string, token: string): JoinRequest & { readonly type: "join" } {
  return { type: "join", kind: "store", name, address: `${name}:1`, disk, token };
}

describe("create", () => {
  test("counts once", () => {
    const state = created();
    const { result } = state.apply({ type: "create", shards: 9, groups: 9 }, 3);
    expect(result).toEqual({ shards: 3, groups: 2 });
    expect(state.whole()).toMatchObject({ version: 2, shards: 3, groups: 2 });
    expect(state.view.places()).toEqual(
      [0, 1, 2].map((shard) => ({ shard, owner: 0, epoch: 0, home: "" })),
    );
  });

  test("comes before everything else", () => {
    const state = ControlState.create();
    for (const command of [
      gateway("g", "t"),
      { type: "node", name: "n", address: "a", disk: 1, replica: 0 },
      { type: "node-wish", name: "n", wish: "add" },
      { type: "ban", ban: { kind: "user", value: "u", reason: "", until: 0 }, wall: 0 },
    ] satisfies Command[]) {
      expect(state.apply(command, 2)).toEqual({
        result: { refused: "the cluster is not created yet" },
        changes: [],
      });
    }
    expect(state.version).toBe(0);
  });
});

describe("join", () => {
  test("with the same token again is the same life", () => {
    const state = created();
    expect(state.apply(gateway("g", "t"), 3).result).toEqual({ incarnation: 3 });
    expect(state.apply(gateway("g", "t"), 4)).toEqual({ result: { incarnation: 3 }, changes: [] });
    expect(state.version).toBe(3);
  });

  test("of a gateway ends an earlier one of its name, in its first step only", () => {
    const state = created();
    state.apply(gateway("g", "1"), 3);
    state.apply(store("g", "", "2"), 4);
    state.apply(gateway("other", "3"), 5);
    const { changes } = state.apply(gateway("g", "4"), 6);
    expect(changes.map(({ type }) => type)).toEqual(["gateway-down", "member-up"]);
    expect([...state.view.down()]).toEqual([{ incarnation: 3, since: 6 }]);
    expect([...state.view.members()].map(({ incarnation }) => incarnation)).toEqual([4, 5, 6]);
  });

  test("of a store process with a disk proves that the earlier one is dead, and takes its shards at once", () => {
    const state = created();
    state.apply(store("s1", "d1", "1"), 3);
    state.apply(store("s2", "d2", "2"), 4);
    const assignments = [0, 1, 2].map((shard) => ({ shard, owner: shard < 2 ? 3 : 4, epoch: 0 }));
    state.apply({ type: "assign", assignments }, 5);
    state.apply(store("renamed", "d1", "3"), 6);
    expect(state.view.member(3)).toBeUndefined();
    expect(state.view.places()).toEqual([
      { shard: 0, owner: 6, epoch: 2, home: "d1" },
      { shard: 1, owner: 6, epoch: 2, home: "d1" },
      { shard: 2, owner: 4, epoch: 1, home: "d2" },
    ]);
  });

  test("of a store process takes back what its disk holds, however long it was away", () => {
    const state = created();
    state.apply(store("s1", "d1", "1"), 3);
    state.apply({ type: "assign", assignments: [{ shard: 1, owner: 3, epoch: 0 }] }, 4);
    state.apply({ type: "store-down", incarnation: 3 }, 5);
    expect(state.view.place(1)).toEqual({ shard: 1, owner: 0, epoch: 1, home: "d1" });
    state.apply(store("s1", "d1", "2"), 6);
    expect(state.view.place(1)).toEqual({ shard: 1, owner: 6, epoch: 2, home: "d1" });
  });

  test("of a store process without a disk ends nobody: the lease of an earlier one may last", () => {
    const state = created();
    state.apply(store("s", "", "1"), 3);
    state.apply(store("s", "", "2"), 4);
    expect(state.view.stores().map(({ incarnation }) => incarnation)).toEqual([3, 4]);
  });

  test.each([
    ["no name", gateway("", "t")],
    ["no token", gateway("g", "")],
    ["a long name", gateway("g".repeat(1_001), "t")],
    ["a gateway with a disk", { ...gateway("g", "t"), disk: "d" }],
  ])("with %s is refused", (_what, command) => {
    const state = created();
    expect(state.apply(command, 3)).toEqual({
      result: { refused: expect.any(String) },
      changes: [],
    });
  });
});

describe("assignments", () => {
  test.each([
    ["of a shard that got another epoch since", { shard: 0, owner: 3, epoch: 1 }],
    ["to nobody", { shard: 0, owner: 9, epoch: 0 }],
    ["to a gateway", { shard: 0, owner: 4, epoch: 0 }],
    ["of a shard that does not exist", { shard: 3, owner: 3, epoch: 0 }],
    ["of a shard whose home is another disk", { shard: 1, owner: 3, epoch: 1 }],
  ])("%s are not made", (_what, assignment) => {
    const state = created();
    state.apply(store("s", "", "1"), 3);
    state.apply(gateway("g", "2"), 4);
    state.apply(store("d", "disk", "3"), 5);
    state.apply({ type: "assign", assignments: [{ shard: 1, owner: 5, epoch: 0 }] }, 6);
    expect(state.apply({ type: "assign", assignments: [assignment] }, 7)).toEqual({
      result: 0,
      changes: [],
    });
  });

  test("an owner, and nobody else, gets another epoch when it asks", () => {
    const state = created();
    state.apply(store("s", "", "1"), 3);
    state.apply({ type: "assign", assignments: [{ shard: 2, owner: 3, epoch: 0 }] }, 4);
    expect(state.apply({ type: "reopen", incarnation: 3, shard: 2 }, 5).result).toEqual({
      epoch: 2,
    });
    for (const command of [
      { type: "reopen", incarnation: 3, shard: 1 },
      { type: "reopen", incarnation: 4, shard: 2 },
    ] satisfies Command[]) {
      expect(state.apply(command, 6).result).toHaveProperty("refused");
    }
  });
});

describe("bans", () => {
  test("are replaced by kind and value, and forgotten when they are over", () => {
    const state = created();
    const ban = (value: string, until: number, wall: number, version: number) =>
      state.apply(
        { type: "ban", ban: { kind: "client", value, reason: "", until }, wall },
        version,
      );
    ban("a", 10, 0, 3);
    ban("b", 0, 0, 4);
    ban("a", 20, 0, 5);
    expect(state.view.ban("client", "a", 19)).toMatchObject({ until: 20 });
    expect(state.view.ban("client", "a", 20)).toBeUndefined();
    expect(state.view.ban("user", "b", 20)).toBeUndefined();
    const { changes } = ban("c", 0, 25, 6);
    expect(changes.map(({ type }) => type)).toEqual(["unbanned", "banned"]);
    expect([...state.view.bans()].map(({ value }) => value)).toEqual(["b", "c"]);
    expect(state.apply({ type: "unban", kind: "client", value: "a" }, 7).changes).toEqual([]);
    expect(state.apply({ type: "unban", kind: "client", value: "b" }, 8).changes).toHaveLength(1);
  });
});

test("ends are only of what they name", () => {
  const state = created();
  state.apply(gateway("g", "1"), 3);
  state.apply(store("s", "", "2"), 4);
  expect(state.apply({ type: "store-down", incarnation: 3 }, 5).result).toBe(false);
  expect(state.apply({ type: "gateway-down", incarnation: 4 }, 6).result).toBe(false);
  expect(state.apply({ type: "gateway-gone", incarnation: 3 }, 7).result).toBe(false);
  expect(state.apply({ type: "gateway-down", incarnation: 3 }, 8).result).toBe(true);
  expect(state.apply({ type: "gateway-down", incarnation: 3 }, 9).result).toBe(false);
  expect(state.apply({ type: "gateway-gone", incarnation: 3 }, 10).result).toBe(true);
  expect(state.version).toBe(10);
});

test("changes are kept for a while, a version's all or none", () => {
  const state = ControlState.create(3);
  state.apply({ type: "create", shards: 3, groups: 1 }, 2);
  state.apply(store("s", "d", "1"), 3);
  const assignments = [0, 1, 2].map((shard) => ({ shard, owner: 3, epoch: 0 }));
  state.apply({ type: "assign", assignments }, 4);
  expect(state.changesSince(1)).toBeUndefined();
  expect(state.changesSince(2)).toBeUndefined();
  expect(state.changesSince(3)).toHaveLength(3);
  expect(state.changesSince(4)).toEqual([]);
  state.apply({ type: "founders", founders: [{ name: "n", disk: 1, replica: 1 }] }, 5);
  expect(state.changesSince(3)).toBeUndefined();
  expect(state.changesSince(4)?.map(({ version }) => version)).toEqual([5]);
});

test("a snapshot that is not whole, or has too much, is not read", () => {
  const state = created();
  state.apply(store("s", "d", "1"), 3);
  const chunks = [...state.snapshot()];
  const read = (some: readonly Uint8Array[]) => {
    const reader = new SnapshotReader();
    for (const chunk of some) reader.push(chunk);
    return reader.finish();
  };
  expect(read(chunks).whole()).toEqual(state.whole());
  for (let left = 0; left < chunks.length; left++) {
    expect(() => read(chunks.slice(0, left))).toThrow(DecodeError);
    expect(() => read(chunks.filter((_, i) => i !== left))).toThrow(DecodeError);
  }
  expect(() => read([...chunks, chunks[1] as Uint8Array])).toThrow(DecodeError);
});

describe("session nodes", () => {
  const founded = () => {
    const state = created();
    const founders = [1, 2, 3].map((replica) => ({ name: `n${replica}`, disk: replica, replica }));
    let version = 2;
    const apply = <C extends Command>(command: C) => state.apply(command, ++version);
    apply({ type: "founders", founders });
    const come = (name: string, disk: number, replica = 0) =>
      apply({ type: "node", name, address: `${name}:1`, disk, replica }).result;
    const wish = (name: string, what: NodeWish["wish"]) =>
      apply({ type: "node-wish", name, wish: what }).result;
    const entry = (name: string) => state.view.nodeEntry(name);
    return { state, apply, come, wish, entry };
  };

  test("are those that created the cluster, once, and at the address that they say", () => {
    const { state, apply, come } = founded();
    apply({ type: "founders", founders: [{ name: "x", disk: 9, replica: 9 }] });
    expect(come("n2", 2, 2)).toEqual({ replica: 2 });
    expect(come("n2", 2, 2)).toEqual({ replica: 2 });
    expect(
      state.view.nodes().map(({ name, address, replica }) => [name, address, replica]),
    ).toEqual([
      ["n1", "", 1],
      ["n2", "n2:1", 2],
      ["n3", "", 3],
    ]);
  });

  test("join as replicas that nobody had before", () => {
    const { come, entry } = founded();
    expect(come("n4", 40)).toEqual({ replica: 101 });
    expect(come("n5", 50)).toEqual({ replica: 102 });
    expect(come("n4", 40)).toEqual({ replica: 101 });
    expect(entry("n4")).toMatchObject({ standing: "member", disk: 40, replica: 101 });
    expect(come("n6", 60, 6)).toMatchObject({
      refused: expect.stringContaining("another cluster"),
    });
  });

  test("that lost their disk are let in with another when somebody has said so", () => {
    const { come, wish, entry } = founded();
    expect(come("n2", 20)).toMatchObject({ refused: expect.stringContaining("replace n2") });
    expect(wish("n2", "replace")).toBeUndefined();
    expect(entry("n2")).toMatchObject({ standing: "awaited", disk: 0, replica: 0 });
    // What still runs of it stays out.
    expect(come("n2", 2, 2)).toEqual({ replica: 0 });
    expect(come("n2", 20)).toEqual({ replica: 101 });
    expect(come("n2", 21)).toMatchObject({ refused: expect.stringContaining("replace n2") });
  });

  test("that were removed leave, and do not come back by themselves", () => {
    const { state, apply, come, wish, entry } = founded();
    expect(wish("n3", "remove")).toBeUndefined();
    expect(wish("n3", "remove")).toBeUndefined();
    expect(entry("n3")?.standing).toBe("leaving");
    expect(come("n3", 3, 3)).toEqual({ replica: 3 });
    expect(apply({ type: "node-left", name: "n3", replica: 9 }).result).toBe(false);
    expect(apply({ type: "node-left", name: "n3", replica: 3 }).result).toBe(true);
    expect(apply({ type: "node-left", name: "n3", replica: 3 }).result).toBe(false);
    expect(entry("n3")).toMatchObject({ standing: "left", replica: 0 });
    expect(state.view.nodes().map(({ name }) => name)).toEqual(["n1", "n2"]);
    expect(state.view.node("n3")).toBeUndefined();
    expect(come("n3", 3)).toMatchObject({ refused: expect.stringContaining("add n3") });
    expect(wish("n3", "add")).toBeUndefined();
    expect(come("n3", 3)).toEqual({ replica: 101 });
  });

  test("are awaited, drained and resumed by name; the last one stays", () => {
    const { wish, entry, come } = founded();
    expect(wish("n9", "drain")).toEqual({ refused: "there is no session node n9" });
    expect(wish("n9", "add")).toBeUndefined();
    expect(entry("n9")?.standing).toBe("awaited");
    expect(wish("n9", "remove")).toBeUndefined();
    expect(come("n9", 9)).toMatchObject({ refused: expect.stringContaining("add n9") });
    expect(wish("n1", "drain")).toBeUndefined();
    expect(entry("n1")?.drained).toBe(true);
    expect(wish("n1", "resume")).toBeUndefined();
    expect(entry("n1")?.drained).toBe(false);
    for (const name of ["n1", "n2"]) expect(wish(name, "remove")).toBeUndefined();
    expect(wish("n1", "add")).toMatchObject({ refused: expect.stringContaining("is leaving") });
    expect(wish("n3", "remove")).toEqual({ refused: "n3 is the last member" });
    expect(wish("n3", "replace")).toMatchObject({
      refused: expect.stringContaining("last member"),
    });
  });
});
