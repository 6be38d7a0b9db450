/** Administration of the cluster at this session node. */
import type { ClusterAdmin, NodeAdmin, NodeWish } from "@canopy/control";
import type { Cluster, Node } from "../gen/canopy/admin/v1/cluster_pb.ts";
import { Role } from "../gen/canopy/admin/v1/cluster_pb.ts";
import type { Handlers } from "../handlers.ts";
import { ROLES, toGroupInfo, toNodeInfo, toShardInfo, toStatus } from "./values.ts";

/** `version`: of the control log, as far as this node knows it. */
export function clusterAdminHandlers(
  admin: ClusterAdmin,
  version: () => number,
): Handlers<typeof Cluster> {
  const wish = (what: NodeWish["wish"]) => async (request: { readonly name: string }) => {
    return { version: BigInt(await admin.wish({ name: request.name, wish: what })) };
  };
  return {
    listNodes: async ({ role }) => {
      const at = BigInt(version());
      const nodes = (await admin.nodes()).filter((node) => {
        return role === Role.UNSPECIFIED || ROLES[node.role] === role;
      });
      return { nodes: nodes.map(toNodeInfo), version: at };
    },
    listGroups: async () => ({ groups: (await admin.groups()).map(toGroupInfo) }),
    listShards: async () => ({ shards: (await admin.shards()).map(toShardInfo) }),
    addNode: wish("add"),
    removeNode: wish("remove"),
    replaceNode: wish("replace"),
    drainNode: wish("drain"),
    resumeNode: wish("resume"),
    transferLeader: async ({ group, node }) => {
      await admin.transfer(group, node);
      return {};
    },
  };
}

export function nodeAdminHandlers(admin: NodeAdmin): Handlers<typeof Node> {
  return {
    status: async () => toStatus(await admin.status()),
    handOver: async ({ group, node }) => {
      await admin.handOver(group, node);
      return {};
    },
  };
}
