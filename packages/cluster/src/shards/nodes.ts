import type { Shards } from "@canopy/store";

export interface StoreNodesListener {
  connected(store: number): void;
  disconnected(store: number): void;
}

/** The store processes of the view, as far as they can be reached. */
export interface StoreNodes {
  /**
   * The port of this incarnation while it is connected. After `disconnected` nothing is said of what
   * was given to it before, and no batch's buffers are used any more; calls under way are rejected with
   * `unavailable`, and a later connection is a new attachment.
   */
  get(store: number): Shards | undefined;
  /** What it says can't be relied on: ends the connection, which is made anew. */
  reset(store: number): void;
  /** Returns what ends it. */
  listen(listener: StoreNodesListener): () => void;
}
