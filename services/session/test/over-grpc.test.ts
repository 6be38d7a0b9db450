/** The service as its neighbours reach it: every port over gRPC, with real sockets. */
import { seededRandom, silentLogger, systemClock, systemTimers } from "@canopy/base";
import { ClusterSessions } from "@canopy/cluster";
import type { Control } from "@canopy/control";
import {
  ControlService,
  controlHandlers,
  controlOver,
  NodeSessions,
  QueriesService,
  queriesHandlers,
  queriesOver,
  RoutesService,
  RpcChannel,
  RpcServer,
  routesHandlers,
  routesOver,
  SessionsService,
  sessionsHandlers,
} from "@canopy/rpc";
import type { GatewayPeer, RouteSink, SessionQueries, Sessions } from "@canopy/session";
import { type FakeStores, type SessionsHarness, sessionsContract } from "@canopy/session/contract";
import { testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import type { SessionService } from "../src/service.ts";
import { Cluster, type Member } from "./cluster.ts";
import { ControlCluster, type ControlNode, gateway, LEASE, Seen } from "./control.ts";
import { Harness, openRequest, releaseOf, subscribeTo, textOf, willRecord } from "./harness.ts";

const logger = silentLogger;

/** Its address; it ends with the test. */
async function serve(add: (server: RpcServer) => void): Promise<RpcServer> {
  const server = new RpcServer({ address: "127.0.0.1:0", logger });
  add(server);
  const scope = testScope();
  await server.start();
  scope.defer(() => server.stop());
  return server;
}

async function channelTo({ address }: RpcServer): Promise<RpcChannel> {
  const channel = new RpcChannel({ address, logger, backoff: { first: 5, longest: 50 } });
  testScope().defer(() => channel.stop());
  await channel.start();
  return channel;
}

function serveSessions(service: SessionService, group: number): Promise<RpcServer> {
  const of =
    <T>(port: T) =>
    (asked: number) =>
      asked === group ? port : undefined;
  return serve((server) => {
    server.add(SessionsService, sessionsHandlers({ group: of(service.sessions), logger }));
    server.add(QueriesService, queriesHandlers(of(service.queries)));
  });
}

/** The way to stores that are there soon. */
async function storesOver(stores: Promise<FakeStores>): Promise<RouteSink> {
  const sink: RouteSink = {
    heads: async () => (await stores).heads(),
    routes: async (batch) => (await stores).routes(batch),
    publishWill: async (will) => (await stores).publishWill(will),
    sessionsEnded: async (incarnations) => (await stores).sessionsEnded(incarnations),
  };
  const server = await serve((one) => one.add(RoutesService, routesHandlers(sink, logger)));
  return routesOver(await channelTo(server));
}

sessionsContract("one voter, over gRPC both to gateways and to stores", async () => {
  const stores = Promise.withResolvers<FakeStores>();
  const sink = await storesOver(stores.promise);
  const h = await Harness.start({ store: () => sink });
  stores.resolve(h.stores);
  const server = await serveSessions(h.service, 1);
  const harness: SessionsHarness = {
    stores: h.stores,
    gateway: async (peer) => {
      const sessions = new NodeSessions(await channelTo(server)).group(1);
      const incarnation = h.control.join("gateway");
      await sessions.attach(incarnation, peer);
      return { sessions, incarnation };
    },
    end: async (incarnation) => {
      h.control.down(incarnation);
      h.control.gone(incarnation);
    },
    pass: (ms) => h.time.advance(ms),
    record: willRecord,
    text: textOf,
    stop: () => h.stop(),
  };
  return harness;
});

/** Nodes with a server each, and gateways that find their way among them. */
class Reached {
  readonly cluster: Cluster;
  readonly #servers = new Map<string, RpcServer>();

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async start(): Promise<Reached> {
    const reached = new Reached(await Cluster.start({ group: 1, groups: 1 }));
    for (const { name, service } of reached.cluster.members) {
      reached.#servers.set(name, await serveSessions(service, 1));
    }
    return reached;
  }

  /** As a killed process: its connections break, and it leads no more. */
  async kill(member: Member): Promise<void> {
    await Promise.all([this.#servers.get(member.name)?.stop(), this.cluster.kill(member)]);
  }

  async queries({ name }: Member): Promise<SessionQueries> {
    return queriesOver(await channelTo(this.#servers.get(name) as RpcServer), 1);
  }

  async attach(peer: GatewayPeer = { stop: () => {} }) {
    const nodes = new Map<string, NodeSessions>();
    for (const [name, server] of this.#servers) {
      nodes.set(name, new NodeSessions(await channelTo(server)));
    }
    const sessions = new ClusterSessions({
      nodes: () => [...nodes.keys()],
      connect: (name, group): Sessions => (nodes.get(name) as NodeSessions).group(group),
      groups: () => 1,
      clock: systemClock,
      timers: systemTimers,
      random: seededRandom(1),
      logger,
    });
    testScope().defer(() => sessions.close());
    const incarnation = this.cluster.control.join("gateway");
    await sessions.attach(incarnation, peer);
    return { sessions, incarnation };
  }
}

sessionsContract("three nodes, over gRPC", async (): Promise<SessionsHarness> => {
  const reached = await Reached.start();
  const { cluster } = reached;
  return {
    stores: cluster.stores,
    gateway: (peer) => reached.attach(peer),
    end: async (incarnation) => cluster.end(incarnation),
    pass: (ms) => cluster.time.advance(ms),
    record: willRecord,
    text: textOf,
    stop: async () => {},
  };
});

describe("over gRPC, when the leader is killed", () => {
  test("a gateway goes on with the next one, which asks it to give its sessions up", async () => {
    const reached = await Reached.start();
    const stops: number[] = [];
    const one = await reached.attach({ stop: (session) => stops.push(session) });
    const opened = await one.sessions.open(openRequest(one.incarnation));
    await one.sessions.subscribe(subscribeTo(opened, "f"));
    await reached.kill(await reached.cluster.leader());
    const two = await reached.attach();
    const taken = two.sessions.open(openRequest(two.incarnation));
    await waitFor(() => stops.length > 0);
    expect(stops[0]).toBe(opened.incarnation);
    await one.sessions.release(releaseOf(opened));
    const { incarnation, epoch } = opened;
    expect(await taken).toMatchObject({ incarnation, epoch: epoch + 1, sessionPresent: true });
  });

  test("a store process has the routes from the next one", async () => {
    const reached = await Reached.start();
    const { cluster } = reached;
    const { sessions, incarnation } = await reached.attach();
    await sessions.subscribe(subscribeTo(await sessions.open(openRequest(incarnation)), "a", "b"));
    const first = await cluster.leader();
    const version = cluster.control.version;
    expect(await (await reached.queries(first)).routes(version)).toMatchObject({
      filters: ["a", "b"],
    });
    const behind = (await reached.queries(first)).routes(version + 1);
    await expect(behind).rejects.toMatchObject({ code: "unavailable" });
    await reached.kill(first);
    const second = await cluster.leader();
    const queries = await reached.queries(second);
    await waitFor(async () => (await queries.routes(version)).filters.length === 2);
    expect(await queries.lowest([{ filter: "c", shard: 0 }])).toEqual([undefined]);
    const [other] = cluster.members.filter((one) => one !== second) as [Member];
    await expect((await reached.queries(other)).areLive([1])).rejects.toMatchObject({
      code: "not-leader",
      leader: second.name,
    });
  });
});

async function controlOf({
  control,
}: ControlNode): Promise<{ port: Control; channel: RpcChannel }> {
  const server = await serve((one) => one.add(ControlService, controlHandlers(control)));
  const channel = await channelTo(server);
  return { port: controlOver(channel), channel };
}

describe("the control plane over gRPC", () => {
  test("a gateway whose connection breaks is given up before its lease ends, and all who watch hear of it", async () => {
    const cluster = await ControlCluster.start(3);
    const leader = await cluster.leader();
    const [follower] = cluster.others(leader) as [ControlNode];
    const watching = await controlOf(follower);
    const seen = new Seen();
    watching.port.watch(0, seen);
    await expect(watching.port.join(gateway("g"))).rejects.toMatchObject({
      code: "not-leader",
      leader: leader.name,
    });
    const { port, channel } = await controlOf(leader);
    const staying = await controlOf(leader);
    const { incarnation } = await port.join(gateway("g"));
    const other = (await staying.port.join(gateway("other"))).incarnation;
    port.attend(incarnation, { ended: () => {} });
    staying.port.attend(other, { ended: () => {} });
    const renew = async (): Promise<void> => {
      const { version } = leader.service.view;
      await Promise.all([
        staying.port.renew({ incarnation, acknowledged: version }),
        staying.port.renew({ incarnation: other, acknowledged: version }),
      ]);
    };
    await cluster.pass(2 * LEASE, renew);
    await waitFor(() => seen.view.member(other) !== undefined);
    expect(seen.view.gateways()).toHaveLength(2);
    await channel.stop();
    // Its lease goes on: it is the connection that is missed.
    await waitFor(async () => {
      await cluster.pass(100, () => renew().catch(() => {}));
      return seen.view.member(incarnation) === undefined;
    });
    expect(seen.view.gateways().map(({ name }) => name)).toEqual(["other"]);
    await waitFor(() => seen.view.version === leader.service.view.version);
    expect(seen.view.whole()).toEqual(leader.service.view.whole());
    const version = await staying.port.ban({ kind: "user", value: "u", reason: "", until: 0 });
    const inForce = staying.port.inForce(version);
    await staying.port.renew({ incarnation: other, acknowledged: version });
    await inForce;
    await waitFor(() => seen.view.ban("user", "u", 0) !== undefined);
    expect(seen.error).toBeUndefined();
  });
});
