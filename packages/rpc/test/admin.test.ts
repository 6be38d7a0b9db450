/** The ports of administration over real sockets. */
import { silentLogger } from "@canopy/base";
import {
  type ClusterAdmin,
  ControlError,
  type GroupInfo,
  type NodeAdmin,
  type NodeInfo,
  type NodeStatus,
  type NodeWish,
  type ShardInfo,
} from "@canopy/control";
import { testScope } from "@canopy/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Role } from "../src/gen/canopy/admin/v1/cluster_pb.ts";
import {
  ClusterAdminService,
  clusterAdminHandlers,
  clusterAdminOver,
  NodeAdminService,
  nodeAdminHandlers,
  nodeAdminOver,
  RpcServer,
} from "../src/index.ts";
import { Fake } from "./fake-ports.ts";
import { number, text, uint32 } from "./session-values.ts";
import { channelTo } from "./setup.ts";

async function pair() {
  const cluster = new Fake<ClusterAdmin>();
  const node = new Fake<NodeAdmin>();
  const server = new RpcServer({ address: "127.0.0.1:0", logger: silentLogger });
  server.add(
    ClusterAdminService,
    clusterAdminHandlers(cluster.port, () => 7),
  );
  server.add(NodeAdminService, nodeAdminHandlers(node.port));
  await server.start();
  testScope().defer(() => server.stop());
  const channel = await channelTo(server.address);
  return { cluster, node, channel, asked: clusterAdminOver(channel), one: nodeAdminOver(channel) };
}

const optional = fc.option(number, { nil: undefined });

const nodeInfo: fc.Arbitrary<NodeInfo> = fc.record({
  name: text,
  role: fc.constantFrom("session", "gateway", "store"),
  state: fc.constantFrom("member", "leaving", "awaited", "left", "down"),
  address: text,
  answers: fc.boolean(),
  software: text,
  incarnation: number,
  leaseLeft: optional,
  acknowledged: number,
  replica: number,
  disk: text,
  drained: fc.boolean(),
  leads: fc.array(uint32),
  shards: uint32,
});

const replicas = fc.array(
  fc.record({
    replica: number,
    node: text,
    voter: fc.boolean(),
    active: fc.boolean(),
    match: number,
    applied: optional,
  }),
);

const groupInfo: fc.Arbitrary<GroupInfo> = fc.record({
  group: uint32,
  leader: text,
  term: number,
  commit: number,
  replicas,
  doing: text,
});

const shardInfo: fc.Arbitrary<ShardInfo> = fc.record({
  shard: uint32,
  owner: text,
  incarnation: number,
  epoch: number,
  home: text,
});

const nodeStatus: fc.Arbitrary<NodeStatus> = fc.record({
  name: text,
  software: text,
  replicas: fc.array(
    fc.record({
      group: uint32,
      replica: number,
      leads: fc.boolean(),
      term: number,
      commit: number,
      applied: number,
      replicas,
      doing: text,
    }),
  ),
  leases: fc.array(fc.record({ incarnation: number, left: optional, acknowledged: number })),
});

test("what is told arrives as it was", async () => {
  const { cluster, node, asked, one } = await pair();
  const all = fc.record({
    nodes: fc.array(nodeInfo),
    groups: fc.array(groupInfo),
    shards: fc.array(shardInfo),
    status: nodeStatus,
  });
  const tell = fc.asyncProperty(all, async (told) => {
    cluster.answer = ({ method }) => told[method as "nodes" | "groups" | "shards"];
    node.answer = () => told.status;
    expect(await asked.nodes()).toEqual(told.nodes);
    expect(await asked.groups()).toEqual(told.groups);
    expect(await asked.shards()).toEqual(told.shards);
    expect(await one.status()).toEqual(told.status);
  });
  await fc.assert(tell, { numRuns: 50 });
});

test("what is asked arrives as it was, and a refusal as what it is", async () => {
  const { cluster, node, asked, one } = await pair();
  cluster.answer = () => 2 ** 45;
  const wishes: readonly NodeWish["wish"][] = ["add", "remove", "replace", "drain", "resume"];
  for (const wish of wishes) expect(await asked.wish({ name: "n", wish })).toBe(2 ** 45);
  await asked.transfer(3, "n");
  await one.handOver(4, "m");
  expect(cluster.asked).toEqual([
    ...wishes.map((wish) => ({ method: "wish", args: [{ name: "n", wish }] })),
    { method: "transfer", args: [3, "n"] },
  ]);
  expect(node.asked).toEqual([{ method: "handOver", args: [4, "m"] }]);
  cluster.answer = () => Promise.reject(new ControlError("refused", "because"));
  const refused = { code: "refused", message: "because" };
  await expect(asked.wish({ name: "n", wish: "add" })).rejects.toMatchObject(refused);
  await expect(asked.nodes()).rejects.toBeInstanceOf(ControlError);
});

test("nodes are listed by role for who asks for one", async () => {
  const { cluster, channel } = await pair();
  const [any] = fc.sample(nodeInfo, { numRuns: 1, seed: 1 }) as [NodeInfo];
  const infos = (["session", "gateway", "store"] as const).map((role) => ({ ...any, role }));
  cluster.answer = () => infos;
  const { listNodes } = ClusterAdminService.method;
  const roles = [];
  for (const role of [Role.UNSPECIFIED, Role.SESSION, Role.GATEWAY, Role.STORE]) {
    const { nodes, version } = await channel.call(listNodes, { role }, { deadline: 5_000 });
    expect(version).toBe(7n);
    roles.push(nodes.map((one) => one.role));
  }
  expect(roles).toEqual([
    [Role.SESSION, Role.GATEWAY, Role.STORE],
    [Role.SESSION],
    [Role.GATEWAY],
    [Role.STORE],
  ]);
});
