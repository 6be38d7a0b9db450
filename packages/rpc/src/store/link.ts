/** A gateway's link to one life of a store process. */
import type { Lifecycle, Logger, Random, Timers } from "@canopy/base";
import type { Shards } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import type { RpcChannel } from "../channel.ts";

export interface StoreLinkOptions {
  /** Its connection: nobody else's, as it is given up where the link can't be relied on. */
  readonly channel: RpcChannel;
  /** The incarnation of the store process. */
  readonly store: number;
  /** That of the gateway. */
  readonly topics: () => TopicTable;
  readonly logger: Logger;
  readonly timers?: Timers;
  readonly random?: Random;
  /** There is a port; another one each time. */
  readonly onConnected?: () => void;
  /** It is of no use any more: see StoreNodes.get() in packages/cluster. */
  readonly onDisconnected?: () => void;
}

export class StoreLink implements Lifecycle {
  readonly #port: Shards | undefined = undefined;

  // oxlint-disable-next-line no-useless-constructor -- the behaviour follows
  constructor(_options: StoreLinkOptions) {}

  /** While it is connected. */
  get port(): Shards | undefined {
    return this.#port;
  }

  /** What the process says can't be relied on: the connection is made anew. */
  reset(): void {}

  async start(): Promise<void> {}

  async stop(): Promise<void> {}
}
