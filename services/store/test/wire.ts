/** Store processes of a test, as gateways reach them over sockets. */
import { silentLogger } from "@canopy/base";
import {
  RpcChannel,
  type RpcChannelOptions,
  RpcServer,
  type RpcServerOptions,
  ShardsService,
  StoreLink,
  type StoreLinkOptions,
  shardsHandlers,
} from "@canopy/rpc";
import { type Shards, StoreError } from "@canopy/store";
import { waitFor } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import { SHARDS, settled } from "./harness.ts";
import type { StoreProcess } from "./process.ts";

const logger = silentLogger;

/** `store` is the incarnation under which gateways know it. */
export async function serveShards(
  process: StoreProcess,
  store: number,
  options: Partial<RpcServerOptions> = {},
): Promise<RpcServer> {
  const server = new RpcServer({ address: "127.0.0.1:0", logger, ...options });
  const { shards } = process;
  server.add(
    ShardsService,
    shardsHandlers({
      shards: () => shards,
      incarnation: () => store,
      topics: () => process.topics,
      logger,
    }),
  );
  await server.start();
  return server;
}

/** A gateway's way to one store process. */
export class Wire {
  readonly channel: RpcChannel;
  readonly link: StoreLink;

  constructor(
    address: RpcChannelOptions["address"],
    store: number,
    options: Partial<StoreLinkOptions> = {},
  ) {
    this.channel = new RpcChannel({ address, logger, backoff: { first: 5, longest: 20 } });
    const topics = new TopicTable(SHARDS);
    this.link = new StoreLink({
      channel: this.channel,
      store,
      topics: () => topics,
      logger,
      ...options,
    });
  }

  async start(): Promise<void> {
    await this.channel.start();
    await this.link.start();
  }

  async stop(): Promise<void> {
    await this.link.stop();
    await this.channel.stop();
  }

  /** When there is one. */
  async port(): Promise<Shards> {
    await waitFor(() => this.link.port !== undefined);
    return this.link.port as Shards;
  }
}

/** Whatever was said to the process, and by it before that, has arrived. */
export async function arrived(port: Shards): Promise<void> {
  await settled();
  try {
    // Of a group that there is not: it is answered in its turn, and at once.
    await port.settleDurably("$share/nobody/nothing", 0, 1);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  await settled();
}
