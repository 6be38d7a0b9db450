/** Joins hosts of one process. */
import type { Batch, Transport, TransportHandler } from "@canopy/raft";

export class RaftNetwork {
  readonly #nodes = new Map<string, TransportHandler>();
  /** From these nothing leaves, and nothing reaches them. */
  readonly cutOff: Set<string> = new Set();

  transport(node: string): Transport {
    return {
      start: async (handler) => {
        this.#nodes.set(node, handler);
      },
      stop: async () => {
        this.#nodes.delete(node);
      },
      send: (to, batch) => {
        setImmediate(() => this.#deliver(to, batch));
        return true;
      },
      openSnapshot: (to, disk, offer) => {
        const handler = this.#reach(node, to);
        if (handler === undefined) return Promise.reject(new Error("unreachable"));
        return handler.onSnapshot(node, disk, offer);
      },
    };
  }

  #deliver(to: string, batch: Batch): void {
    this.#reach(batch.from, to)?.onBatch(batch);
  }

  #reach(from: string, to: string): TransportHandler | undefined {
    if (this.cutOff.has(from) || this.cutOff.has(to)) return undefined;
    return this.#nodes.get(to);
  }
}
