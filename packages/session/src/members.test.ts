import { describe, expect, test } from "vitest";
import { Group } from "../test/group.ts";

describe("members", () => {
  test("are taken in the order of the control log's versions", () => {
    const g = new Group();
    expect(g.members(10, { gatewaysUp: [9, 10], storesUp: [7, 8] })).toBe(true);
    expect(g.members(12, { gatewaysGone: [9], storesDown: [7] })).toBe(true);
    const late = { gatewaysUp: [9], storesUp: [7], gatewaysGone: [10], storesDown: [8] };
    for (const version of [11, 12]) expect(g.members(version, late)).toBe(false);
    expect(g.state.version).toBe(12);
    expect([...g.state.gateways()]).toEqual([g.gateway, 10]);
    expect([...g.state.stores()]).toEqual([8]);
  });

  test("a gateway that is gone opens nothing, and keeps what it has until it is released", () => {
    const g = new Group();
    const held = g.open({ requestId: 1 });
    g.members(g.state.version + 1, { gatewaysGone: [g.gateway] });
    expect(g.tryOpen({ requestId: 1 })).toEqual({ status: "refused" });
    expect(g.tryOpen({ clientId: "other" })).toEqual({ status: "refused" });
    const other = g.up();
    expect(g.tryOpen({ gateway: other })).toEqual({ status: "held" });
    expect(g.down(g.gateway, held)).toBe(1);
    expect(g.open({ gateway: other })).toMatchObject({ epoch: 2 });
  });
});
