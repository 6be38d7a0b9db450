import { expect, test } from "vitest";
import type { Member, VersionedChange, WholeView } from "./change.ts";
import { ClusterView } from "./view.ts";

const member = (kind: Member["kind"], incarnation: number): Member => ({
  kind,
  incarnation,
  name: `${kind} ${incarnation}`,
  address: "",
  disk: "",
});

const whole = (version: number, changes: Partial<WholeView> = {}): WholeView => ({
  version,
  shards: 2,
  groups: 1,
  members: [],
  down: [],
  places: [0, 1].map((shard) => ({ shard, owner: 0, epoch: 0, home: "" })),
  nodes: [],
  bans: [],
  ...changes,
});

const up = (version: number): VersionedChange => ({
  version,
  change: { type: "member-up", member: member("gateway", version) },
});

function recorded(view: ClusterView): string[] {
  const heard: string[] = [];
  view.listen((changes, version) => {
    heard.push(`${version}: ${changes.map(({ change }) => change.type).join(" ")}`);
  });
  return heard;
}

test("changes that are known already are left out", () => {
  const view = new ClusterView();
  view.load(whole(3));
  const heard = recorded(view);
  view.apply([up(2), up(3), up(4), up(5)], 5);
  view.apply([up(4), up(5)], 5);
  view.load(whole(5));
  view.load(whole(4));
  expect(view.gateways().map(({ incarnation }) => incarnation)).toEqual([4, 5]);
  expect(heard).toEqual(["5: member-up member-up"]);
});

test("a listener hears of a batch when all of it is in the view, until it is ended", () => {
  const view = new ClusterView();
  view.load(whole(3));
  const seen: number[] = [];
  const end = view.listen(() => seen.push(view.gateways().length));
  view.apply([up(4), up(5)], 6);
  expect(view.version).toBe(6);
  end();
  view.apply([up(7)], 7);
  expect(seen).toEqual([2]);
});

test("from a whole view listeners hear what has changed, ends first", () => {
  const view = new ClusterView();
  const heard = recorded(view);
  const members = [member("gateway", 2), member("gateway", 3), member("store", 4)];
  view.load(whole(4, { members, down: [{ incarnation: 1, since: 4 }] }));
  const places = [
    { shard: 0, owner: 9, epoch: 1, home: "" },
    { shard: 1, owner: 0, epoch: 0, home: "" },
  ];
  view.load(
    whole(9, { members: [member("store", 9)], down: [{ incarnation: 3, since: 8 }], places }),
  );
  expect(heard).toEqual([
    "4: member-up member-up member-up gateway-down",
    "9: gateway-down gateway-gone gateway-down store-down gateway-gone member-up shard",
  ]);
  expect(view.isDown(3)).toBe(true);
  expect(view.isDown(1)).toBe(false);
  expect(view.place(0).owner).toBe(9);
  expect(view.place(7)).toEqual({ shard: 7, owner: 0, epoch: 0, home: "" });
});
