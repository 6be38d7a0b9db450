import type { Member, MemberKind } from "@canopy/control";
import { describe, expect, test } from "vitest";
import { Lateness } from "./lateness.ts";
import { Leases } from "./leases.ts";

const LEASE = 3_000;

const member = (kind: MemberKind, incarnation: number): Member => ({
  kind,
  incarnation,
  name: `${incarnation}`,
  address: "",
  disk: "",
});

const gateways = (...incarnations: number[]) => incarnations.map((one) => member("gateway", one));

describe("leases", () => {
  test("of who joins late last a full term, like those that were there", () => {
    const leases = new Leases({ lease: LEASE, absence: 500 }, 0);
    leases.follow(gateways(1), 0);
    leases.follow(gateways(1, 2), 10_000);
    expect(leases.due(10_000)).toEqual([1]);
    expect(leases.due(12_999)).toEqual([1]);
    expect(leases.due(13_000)).toEqual([1, 2]);
    leases.follow(gateways(2), 13_000);
    expect(leases.due(13_000)).toEqual([2]);
  });

  test("count from when a renewal came, and an old one takes nothing away", () => {
    const leases = new Leases({ lease: LEASE, absence: 500 }, 0);
    leases.follow(gateways(1), 0);
    leases.extend(1, 2_000);
    leases.extend(1, 1_000);
    leases.extend(9, 2_000);
    expect(leases.due(4_999)).toEqual([]);
    expect(leases.due(5_000)).toEqual([1]);
  });

  test("are pardoned when the leader itself stood still", () => {
    const leases = new Leases({ lease: LEASE, absence: 500 }, 0);
    leases.follow(gateways(1), 0);
    leases.pardon(9_000);
    expect(leases.due(11_999)).toEqual([]);
    expect(leases.due(12_000)).toEqual([1]);
  });

  test("two streams of a gateway, one of which breaks, are one stream", () => {
    const leases = new Leases({ lease: LEASE, absence: 500 }, -LEASE);
    leases.follow(gateways(1), 0);
    const gone = [leases.attend(1), leases.attend(1)] as const;
    gone[0](100);
    expect(leases.due(2_000)).toEqual([]);
    gone[1](2_000);
    expect(leases.due(2_499)).toEqual([]);
    expect(leases.due(2_500)).toEqual([1]);
  });

  test.each([
    { all: 1, missing: 1, most: false },
    { all: 2, missing: 1, most: false },
    { all: 2, missing: 2, most: true },
    { all: 3, missing: 1, most: false },
    { all: 3, missing: 2, most: true },
    { all: 4, missing: 2, most: false },
    { all: 4, missing: 3, most: true },
  ])("of $missing of $all gateways that are not heard of: $most", ({ all, missing, most }) => {
    const incarnations = Array.from({ length: all }, (_, i) => i + 1);
    const silent = new Leases({ lease: LEASE, absence: 500 }, 0);
    const absent = new Leases({ lease: LEASE, absence: 500 }, 0);
    for (const leases of [silent, absent]) {
      // Store processes do not count.
      leases.follow([...gateways(...incarnations), member("store", 20), member("store", 21)], 0);
      expect(leases.missesMostGateways(1_900)).toBe(false);
    }
    for (const one of incarnations.slice(missing)) silent.extend(one, 1_500);
    expect(silent.missesMostGateways(2_100)).toBe(most);
    for (const one of incarnations.slice(0, missing)) absent.attend(one)(50);
    expect(absent.missesMostGateways(100)).toBe(most);
  });
});

describe("who is behind", () => {
  test("does not obey something that has been in force for the limit", () => {
    const lateness = new Lateness(1_000);
    expect(lateness.isBehind(0, 0)).toBe(false);
    lateness.note(5, 0);
    lateness.note(7, 600);
    lateness.note(7, 900);
    expect(lateness.isBehind(4, 999)).toBe(false);
    expect(lateness.isBehind(4, 1_000)).toBe(true);
    expect(lateness.isBehind(5, 1_599)).toBe(false);
    expect(lateness.isBehind(6, 1_600)).toBe(true);
    expect(lateness.isBehind(7, 9_000)).toBe(false);
    lateness.note(8, 10_000);
    expect(lateness.isBehind(7, 10_500)).toBe(false);
    // What was in force before is so still, though something newer is known.
    expect(lateness.isBehind(6, 10_500)).toBe(true);
    expect(lateness.isBehind(7, 11_000)).toBe(true);
  });
});
