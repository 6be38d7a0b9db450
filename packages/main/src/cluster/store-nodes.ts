import type { Lifecycle, Logger } from "@canopy/base";
import type { StoreNodes, StoreNodesListener } from "@canopy/cluster";
import type { ReadonlyView } from "@canopy/control";
import { type RpcTls, StoreLink, type StoreLinkOptions } from "@canopy/rpc";
import { Channels } from "./channels.ts";

export interface RemoteStoresOptions {
  readonly view: ReadonlyView;
  /** The gateway's. */
  readonly topics: StoreLinkOptions["topics"];
  readonly tls: RpcTls | undefined;
  readonly logger: Logger;
}

/** The store processes of the view, over a connection to each. */
export class RemoteStores implements StoreNodes, Lifecycle {
  readonly #options: RemoteStoresOptions;
  readonly #channels: Channels;
  readonly #links = new Map<number, StoreLink>();
  readonly #listeners = new Set<StoreNodesListener>();
  #unlisten: (() => void) | undefined;

  constructor(options: RemoteStoresOptions) {
    const { view, tls, logger } = options;
    this.#options = options;
    this.#channels = new Channels({
      address: (store) => view.member(Number(store))?.address,
      tls,
      logger,
    });
  }

  get(store: number): StoreLink["port"] {
    return this.#links.get(store)?.port;
  }

  reset(store: number): void {
    this.#links.get(store)?.reset();
  }

  listen(listener: StoreNodesListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    this.#unlisten = this.#options.view.listen(() => this.#follow());
    this.#follow();
  }

  async stop(): Promise<void> {
    this.#unlisten?.();
    await Promise.all([...this.#links.values()].map((link) => link.stop()));
    this.#links.clear();
    await this.#channels.stop();
  }

  /** What one that is down still says counts for nothing. */
  #follow(): void {
    const { view } = this.#options;
    for (const { incarnation } of view.stores()) {
      if (!this.#links.has(incarnation)) this.#connect(incarnation);
    }
    for (const [store, link] of this.#links) {
      if (view.member(store) !== undefined) continue;
      this.#links.delete(store);
      void link.stop();
      this.#channels.drop(String(store));
    }
  }

  #connect(store: number): void {
    const { topics, logger } = this.#options;
    const link = new StoreLink({
      channel: this.#channels.get(String(store)),
      store,
      topics,
      logger,
      onConnected: () => {
        for (const listener of this.#listeners) listener.connected(store);
      },
      onDisconnected: () => {
        for (const listener of this.#listeners) listener.disconnected(store);
      },
    });
    this.#links.set(store, link);
    void link.start();
  }
}
