import { silentLogger } from "@canopy/base";
import type { ClusterView } from "@canopy/control";
import { RemoteStores } from "@canopy/main/cluster";
import type { RpcServer } from "@canopy/rpc";
import { Scope, TcpProxy } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import { SHARDS } from "./harness.ts";
import type { StoreProcess } from "./process.ts";
import type { Reach } from "./several.ts";
import { serveShards } from "./wire.ts";

/** As a gateway process does it, by ways that can be cut. */
export class OverGrpc implements Reach {
  readonly #servers = new Map<number, RpcServer>();
  readonly #scope = new Scope();
  /** What gateways connect to. */
  readonly ways = new Map<number, TcpProxy>();

  async start(processes: ReadonlyMap<number, StoreProcess>): Promise<void> {
    for (const [store, process] of processes) {
      const server = await serveShards(process, store);
      this.#servers.set(store, server);
      this.ways.set(store, await new TcpProxy(server.address).start(this.#scope));
    }
  }

  address(store: number): string {
    return this.ways.get(store)?.address ?? "";
  }

  connect(view: ClusterView): RemoteStores & { end(): Promise<void> } {
    const topics = new TopicTable(SHARDS);
    const logger = silentLogger;
    const stores = new RemoteStores({ view, topics: () => topics, tls: undefined, logger });
    void stores.start();
    return Object.assign(stores, { end: () => stores.stop() });
  }

  async stop(): Promise<void> {
    await this.#scope.close();
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
  }
}
