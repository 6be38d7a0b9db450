/** Administration over a channel to one session node. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { ClusterAdmin, NodeAdmin, NodeWish } from "@canopy/control";
import type { RpcChannel } from "../channel.ts";
import type { UnaryMethod } from "../definition.ts";
import { asControlError } from "../errors.ts";
import { Cluster, Node } from "../gen/canopy/admin/v1/cluster_pb.ts";
import { DEADLINE_MS } from "../limits.ts";
import { fromGroupInfo, fromNodeInfo, fromShardInfo, fromStatus } from "./values.ts";

type Call = <I extends DescMessage, O extends DescMessage>(
  method: UnaryMethod<I, O>,
  request: MessageInitShape<I>,
) => Promise<MessageShape<O>>;

type Wishes = Readonly<
  Record<NodeWish["wish"], (name: string) => Promise<{ readonly version: bigint }>>
>;

/** What is asked of a node goes on to others: above their deadlines. */
const CLUSTER_DEADLINE_MS = 2 * DEADLINE_MS;

/** The cluster, as asked of one node. Fails with a ControlError, as all calls here. */
export function clusterAdminOver(
  channel: RpcChannel,
  deadline: number = CLUSTER_DEADLINE_MS,
): ClusterAdmin {
  const call = callOver(channel, deadline);
  const { method } = Cluster;
  const wishes: Wishes = {
    add: (name) => call(method.addNode, { name }),
    remove: (name) => call(method.removeNode, { name }),
    replace: (name) => call(method.replaceNode, { name }),
    drain: (name) => call(method.drainNode, { name }),
    resume: (name) => call(method.resumeNode, { name }),
  };
  return {
    nodes: async () => (await call(method.listNodes, {})).nodes.map(fromNodeInfo),
    groups: async () => (await call(method.listGroups, {})).groups.map(fromGroupInfo),
    shards: async () => (await call(method.listShards, {})).shards.map(fromShardInfo),
    wish: async ({ name, wish }) => Number((await wishes[wish](name)).version),
    transfer: async (group, node) => {
      await call(method.transferLeader, { group, node });
    },
  };
}

/** One node of itself. */
export function nodeAdminOver(channel: RpcChannel, deadline: number = DEADLINE_MS): NodeAdmin {
  const call = callOver(channel, deadline);
  const { method } = Node;
  return {
    status: async () => fromStatus(await call(method.status, {})),
    handOver: async (group, node) => {
      await call(method.handOver, { group, node });
    },
  };
}

function callOver(channel: RpcChannel, deadline: number): Call {
  return async (method, request) => {
    try {
      return await channel.call(method, request, { deadline });
    } catch (error) {
      throw asControlError(error);
    }
  };
}
