/** The port Sessions as a gateway of a cluster has it: over three nodes, whichever of them leads. */
import { seededRandom, silentLogger, systemClock, systemTimers } from "@canopy/base";
import { ClusterSessions } from "@canopy/cluster";
import { type GatewayPeer, SessionError } from "@canopy/session";
import { type SessionsHarness, sessionsContract } from "@canopy/session/contract";
import { testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { Cluster } from "./cluster.ts";
import { openRequest, releaseOf, subscribeTo, textOf, willRecord } from "./harness.ts";

function over(cluster: Cluster): ClusterSessions {
  const names = cluster.members.map(({ name }) => name);
  const sessions = new ClusterSessions({
    nodes: () => names,
    connect: (name) => {
      const member = cluster.members.find((one) => one.name === name);
      if (member === undefined) throw new SessionError("unavailable", `${name} can't be reached`);
      return member.service.sessions;
    },
    groups: () => 1,
    clock: systemClock,
    timers: systemTimers,
    random: seededRandom(1),
    logger: silentLogger,
  });
  testScope().defer(() => sessions.close());
  return sessions;
}

async function attach(cluster: Cluster, peer: GatewayPeer = { stop: () => {} }) {
  const sessions = over(cluster);
  const incarnation = cluster.control.join("gateway");
  await sessions.attach(incarnation, peer);
  return { sessions, incarnation };
}

sessionsContract("three nodes, found by who asks", async (): Promise<SessionsHarness> => {
  const cluster = await Cluster.start({ group: 1, groups: 1 });
  return {
    stores: cluster.stores,
    gateway: (peer) => attach(cluster, peer),
    end: async (gateway) => cluster.end(gateway),
    pass: (ms) => cluster.time.advance(ms),
    record: willRecord,
    text: textOf,
    stop: async () => {},
  };
});

describe("a gateway whose leader is killed", () => {
  test("goes on with the next one, without doing anything about it", async () => {
    const cluster = await Cluster.start({ group: 1, groups: 1 });
    const { sessions, incarnation } = await attach(cluster);
    const opened = await sessions.open(openRequest(incarnation));
    await cluster.kill(await cluster.leader());
    const [subscribed, other] = await Promise.all([
      sessions.subscribe(subscribeTo(opened, "f")),
      sessions.open(openRequest(incarnation, { clientId: "another" })),
    ]);
    expect(subscribed.subscriptions.map(({ filter }) => filter)).toEqual(["f"]);
    expect(other.sessionPresent).toBe(false);
    await sessions.release(releaseOf(opened));
  });

  test("is asked by the next one to give a session up", async () => {
    const cluster = await Cluster.start({ group: 1, groups: 1 });
    const stops: number[] = [];
    const one = await attach(cluster, { stop: (session) => stops.push(session) });
    const opened = await one.sessions.open(openRequest(one.incarnation));
    await cluster.kill(await cluster.leader());
    const two = await attach(cluster);
    const taken = two.sessions.open(openRequest(two.incarnation));
    await waitFor(() => stops.length > 0);
    expect(stops[0]).toBe(opened.incarnation);
    await one.sessions.release(releaseOf(opened));
    expect(await taken).toMatchObject({ incarnation: opened.incarnation, epoch: opened.epoch + 1 });
  });
});
