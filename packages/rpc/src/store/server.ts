/** The shards of this store process, for gateways. */
import type { Logger } from "@canopy/base";
import type { Shards } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import { RpcError } from "../errors.ts";
import type { Shards as Service } from "../gen/canopy/store/v1/shards_pb.ts";
import type { Handlers } from "../handlers.ts";

export interface ShardsServerOptions {
  /** Undefined: not now. */
  readonly shards: () => Shards | undefined;
  /** The life of this process: who means another one is refused. */
  readonly incarnation: () => number;
  /** That of the service. */
  readonly topics: () => TopicTable;
  readonly logger: Logger;
}

export function shardsHandlers(_options: ShardsServerOptions): Handlers<typeof Service> {
  const refuse = (): never => {
    throw new RpcError("unimplemented", "not here yet");
  };
  return {
    publish: refuse,
    pushes: refuse,
    read: async () => refuse(),
    retained: async () => refuse(),
    retainedAt: async () => refuse(),
    receipts: async () => refuse(),
    counts: async () => refuse(),
  };
}
