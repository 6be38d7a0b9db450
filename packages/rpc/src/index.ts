export { clusterAdminOver, nodeAdminOver } from "./admin/client.ts";
export { clusterAdminHandlers, nodeAdminHandlers } from "./admin/server.ts";
export {
  type CallOptions,
  type OpenOptions,
  RpcChannel,
  type RpcChannelOptions,
} from "./channel.ts";
export { type ControlOverOptions, controlOver } from "./control/client.ts";
export { controlHandlers } from "./control/server.ts";
export { decodeMessage, encodeMessage, type StreamMethod, type UnaryMethod } from "./definition.ts";
export {
  asControlError,
  asSessionError,
  asStoreError,
  RpcError,
  type RpcErrorCode,
} from "./errors.ts";
export {
  Cluster as ClusterAdminService,
  Node as NodeAdminService,
} from "./gen/canopy/admin/v1/cluster_pb.ts";
export { Control as ControlService } from "./gen/canopy/control/v1/control_pb.ts";
export { Raft } from "./gen/canopy/raft/v1/raft_pb.ts";
export { Queries as QueriesService } from "./gen/canopy/session/v1/queries_pb.ts";
export { Sessions as SessionsService } from "./gen/canopy/session/v1/session_pb.ts";
export { Routes as RoutesService } from "./gen/canopy/store/v1/routes_pb.ts";
export { Shards as ShardsService } from "./gen/canopy/store/v1/shards_pb.ts";
export type { CallContext, Handlers, OpenHandler, UnaryHandler } from "./handlers.ts";
export type { LinkState } from "./link.ts";
export { GrpcTransport, type GrpcTransportOptions } from "./raft/transport.ts";
export { RpcServer, type RpcServerOptions } from "./server.ts";
export { NodeSessions, type NodeSessionsOptions } from "./session/client.ts";
export { type QueriesOverOptions, queriesHandlers, queriesOver } from "./session/queries.ts";
export { type RoutesOverOptions, routesHandlers, routesOver } from "./session/routes.ts";
export { type SessionsServerOptions, sessionsHandlers } from "./session/server.ts";
export { StoreLink, type StoreLinkOptions } from "./store/link.ts";
export { type ShardsServerOptions, shardsHandlers } from "./store/server.ts";
export type { RpcStream, StreamHandler } from "./stream.ts";
export type { RpcTls } from "./tls.ts";
