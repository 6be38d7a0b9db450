import { describe, expect, test } from "vitest";
import { GROUP, got, join, publish, settleAll, topics } from "./groups.ts";
import { member, startedWorld } from "./harness.ts";

describe("strategies", () => {
  test("least-inflight: who has least to do gets the next", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    join(world, member(1, GROUP), member(2, GROUP), member(3, GROUP));
    await publish(world, 3);
    expect([got(peer, 1), got(peer, 2), got(peer, 3)].map(({ length }) => length)).toEqual([
      1, 1, 1,
    ]);
    const shard = await publish(world, 3, 4);
    world.shards.settle(1, 2, shard, 0);
    world.shards.settle(1, 2, shard, 0);
    await publish(world, 2, 7);
    expect(got(peer, 2).slice(2)).toEqual(["7", "8"]);
  });

  test("least-inflight: members that are equally idle take turns", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    settleAll(world, peer);
    join(world, member(1, GROUP), member(2, GROUP), member(3, GROUP));
    await publish(world, 9);
    expect([got(peer, 1), got(peer, 2), got(peer, 3)].map(({ length }) => length)).toEqual([
      3, 3, 3,
    ]);
  });

  test("round-robin: members take turns, whoever has no room is passed over", async () => {
    const world = await startedWorld({ shared: { strategy: "round-robin", strategies: {} } });
    const peer = world.register(1);
    join(world, member(1, GROUP), member(2, GROUP, { window: 1 }), member(3, GROUP));
    await publish(world, 6);
    expect(peer.dispatched.map((one) => one.member)).toEqual([1, 2, 3, 1, 3, 1]);
  });

  test("random: everybody gets a part", async () => {
    const world = await startedWorld({ shared: { strategy: "random", strategies: {} } });
    const peer = world.register(1);
    settleAll(world, peer);
    join(world, member(1, GROUP), member(2, GROUP), member(3, GROUP));
    await publish(world, 90);
    for (const number of [1, 2, 3]) expect(got(peer, number).length).toBeGreaterThan(15);
  });

  test("sticky: one member gets everything until it goes", async () => {
    const world = await startedWorld({ shared: { strategy: "sticky", strategies: {} } });
    const peer = world.register(1);
    settleAll(world, peer);
    join(world, member(1, GROUP), member(2, GROUP), member(3, GROUP));
    await publish(world, 5);
    const [chosen] = peer.dispatched.map((one) => one.member);
    expect(got(peer, chosen!)).toHaveLength(5);
    world.shards.leave(1, chosen!, [], []);
    await publish(world, 5);
    const next = peer.dispatched.at(-1)!.member;
    expect(next).not.toBe(chosen);
    expect(got(peer, next)).toHaveLength(5);
  });

  test("hash-topic: a topic stays with its member; only the topics of one that goes move", async () => {
    const world = await startedWorld({ shared: { strategy: "hash-topic", strategies: {} } });
    const peer = world.register(1);
    settleAll(world, peer);
    for (let i = 1; i <= 4; i++) join(world, member(i, GROUP));
    const names = topics(world, 40);
    const owners = (): Map<string, number> => {
      peer.dispatched.length = 0;
      for (const topic of names) world.publish(1, { topic, qos: 1 }, { topic, qos: 1 });
      const map = new Map<string, number>();
      for (const one of peer.dispatched) {
        expect(map.get(one.topic) ?? one.member).toBe(one.member);
        map.set(one.topic, one.member);
      }
      return map;
    };
    const before = owners();
    expect(new Set(before.values()).size).toBe(4);
    world.shards.leave(1, 2, [], []);
    const after = owners();
    const moved = [...before.keys()].filter((topic) => after.get(topic) !== before.get(topic));
    expect(moved).toEqual([...before.keys()].filter((topic) => before.get(topic) === 2));
  });

  test("hash-publisher: a publisher's messages all go to one member", async () => {
    const world = await startedWorld({
      shared: { strategy: "random", strategies: { g: "hash-publisher" } },
    });
    const peer = world.register(1);
    settleAll(world, peer);
    for (let i = 1; i <= 4; i++) join(world, member(i, GROUP));
    const names = topics(world, 5);
    for (let i = 0; i < 20; i++) {
      for (const topic of names) world.publish(1, { topic, payload: `p${i}`, clientId: `p${i}` });
    }
    const owners = new Map<string, Set<number>>();
    for (const one of peer.dispatched) {
      owners.set(one.payload, (owners.get(one.payload) ?? new Set()).add(one.member));
    }
    expect([...owners.values()].every((members) => members.size === 1)).toBe(true);
    expect(new Set(peer.dispatched.map((one) => one.member)).size).toBe(4);
  });
});
