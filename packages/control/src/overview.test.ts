import { expect, test } from "vitest";
import type { NodeStatus, ReplicaInfo } from "./admin.ts";
import type { WholeView } from "./change.ts";
import { groupsOf, nodesOf, shardsOf } from "./overview.ts";
import { ClusterView } from "./view.ts";

const member = (kind: "gateway" | "store", incarnation: number, disk = "") => {
  const name = `${kind[0]}${incarnation}`;
  return { kind, incarnation, name, address: `${name}:1`, disk };
};
const node = (name: string, replica: number, standing: "member" | "left" = "member") => {
  return { name, address: `${name}:1`, disk: replica, replica, standing, drained: false };
};

const whole: WholeView = {
  version: 40,
  shards: 3,
  groups: 1,
  members: [member("gateway", 10), member("store", 11, "d")],
  down: [{ incarnation: 9, since: 30 }],
  places: [
    { shard: 0, owner: 11, epoch: 2, home: "d" },
    { shard: 1, owner: 11, epoch: 1, home: "d" },
    { shard: 2, owner: 0, epoch: 4, home: "e" },
  ],
  nodes: [node("a", 1), node("b", 2), node("c", 0, "left")],
  bans: [],
};

function view(): ClusterView {
  const known = new ClusterView();
  known.load(whole);
  return known;
}

const replica = (id: number, active: boolean): ReplicaInfo => {
  const name = id === 1 ? "a" : "b";
  return {
    replica: id,
    node: name,
    voter: true,
    active,
    match: active ? 6 : 0,
    applied: undefined,
  };
};

const status = (name: string, leads: boolean, term: number, applied: number): NodeStatus => ({
  name,
  software: "1.0",
  replicas: [0, 1].map((group) => ({
    group,
    replica: name === "a" ? 1 : 2,
    leads,
    term,
    commit: applied + 1,
    applied,
    replicas: [replica(1, leads), replica(2, leads)],
    doing: leads ? "this" : "",
  })),
  leases: leads ? [{ incarnation: 10, left: 0, acknowledged: 39 }] : [],
});

test("nodes are those of the control log, with what they say of themselves", () => {
  const found = nodesOf(view(), [status("a", true, 3, 8)]);
  const told = found.map(({ name, role, state, answers }) => [name, role, state, answers]);
  expect(told).toEqual([
    ["a", "session", "member", true],
    ["b", "session", "member", false],
    ["c", "session", "left", false],
    ["g10", "gateway", "member", false],
    ["", "gateway", "down", false],
    ["s11", "store", "member", true],
  ]);
  expect(found[0]).toMatchObject({ leads: [0, 1], software: "1.0", replica: 1, disk: "1" });
  expect(found[3]).toMatchObject({ leaseLeft: 0, acknowledged: 39, incarnation: 10 });
  expect(found[5]).toMatchObject({ leaseLeft: undefined, shards: 2, disk: "d" });
});

test("groups are as their leaders say; who claims to lead in an earlier term does not count", () => {
  const [control, first] = groupsOf(view(), [status("a", true, 2, 5), status("b", true, 3, 8)]);
  expect(control).toMatchObject({ group: 0, leader: "b", term: 3, commit: 9, doing: "this" });
  expect(first?.replicas.map(({ active, applied }) => [active, applied])).toEqual([
    [true, 5],
    [true, 8],
  ]);
});

test("a group without a leader says so, and one of which nobody tells anything too", () => {
  const [control] = groupsOf(view(), [status("a", false, 4, 5)]);
  expect(control).toMatchObject({ leader: "", term: 4, doing: "no leader is known" });
  expect(groupsOf(view(), [])).toMatchObject([
    { group: 0, leader: "", replicas: [], doing: "no node answers" },
    { group: 1, leader: "", replicas: [] },
  ]);
});

test("shards name their owners", () => {
  expect(shardsOf(view()).map(({ owner, incarnation }) => [owner, incarnation])).toEqual([
    ["s11", 11],
    ["s11", 11],
    ["", 0],
  ]);
});
