export { ControlClient, type ControlClientOptions } from "./control-client.ts";
export { ViewFollower, type ViewFollowerOptions } from "./control-follower.ts";
export { LeaseKeeper, type LeaseKeeperOptions, type LeaseOwner } from "./control-lease.ts";
export { ClusterSessions, type ClusterSessionsOptions } from "./sessions/cluster-sessions.ts";
export { GroupQueries, type GroupQueriesOptions } from "./sessions/group-queries.ts";
export { ClusterShards, type ClusterShardsOptions } from "./shards/cluster-shards.ts";
export type { ShardsCounters } from "./shards/counters.ts";
export type { StoreNodes, StoreNodesListener } from "./shards/nodes.ts";
