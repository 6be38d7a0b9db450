export {
  type CallOptions,
  type OpenOptions,
  RpcChannel,
  type RpcChannelOptions,
} from "./channel.ts";
export { decodeMessage, encodeMessage, type StreamMethod, type UnaryMethod } from "./definition.ts";
export {
  asControlError,
  asSessionError,
  asStoreError,
  RpcError,
  type RpcErrorCode,
} from "./errors.ts";
export { Raft } from "./gen/canopy/raft/v1/raft_pb.ts";
export type { CallContext, Handlers, OpenHandler, UnaryHandler } from "./handlers.ts";
export type { LinkState } from "./link.ts";
export { GrpcTransport, type GrpcTransportOptions } from "./raft/transport.ts";
export { RpcServer, type RpcServerOptions } from "./server.ts";
export type { RpcStream, StreamHandler } from "./stream.ts";
export type { RpcTls } from "./tls.ts";
