import { type Ban, ClusterView } from "@canopy/control";
import { expect, test } from "vitest";
import { whyBannedBy } from "./bans.ts";

const who = { clientId: "c", user: "u", address: "10.0.0.1" };

function why(kind: Ban["kind"], value: string, changes: Partial<Ban> = {}, of = who) {
  const view = new ClusterView();
  const ban = { kind, value, reason: "", until: 0, ...changes };
  view.load({ ...view.whole(), version: 1, bans: [ban] });
  return whyBannedBy(view, { wall: () => 100 })(of);
}

test("clients, users and addresses are banned by name, until the ban is over", () => {
  expect(why("client", "c")).toBe("banned");
  expect(why("user", "u", { reason: "noise" })).toBe("banned: noise");
  expect(why("address", "10.0.0.1", { until: 101 })).toBe("banned");
  expect(why("address", "10.0.0.1", { until: 100 })).toBeUndefined();
  expect(why("user", "c")).toBeUndefined();
  expect(why("client", "d")).toBeUndefined();
});

test("a ban of a user does not concern who has no name", () => {
  const anonymous = { ...who, user: undefined };
  const view = new ClusterView();
  expect(whyBannedBy(view, { wall: () => 0 })(anonymous)).toBeUndefined();
  const ban = { kind: "user", value: "undefined", reason: "", until: 0 } as const;
  view.load({ ...view.whole(), version: 1, bans: [ban] });
  expect(whyBannedBy(view, { wall: () => 0 })(anonymous)).toBeUndefined();
});
