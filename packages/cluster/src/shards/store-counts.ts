import type { ReadonlyView } from "@canopy/control";
import type { ShardCounts } from "@canopy/store";
import type { StoreNodes } from "./nodes.ts";

const NONE: ShardCounts = {
  retained: 0,
  queuedMessages: 0,
  queuedBytes: 0,
  dropped: 0,
  notRetained: 0,
  storedMessages: 0,
};

/** What each store process counted last, also where it can't be reached now. */
export class StoreCounts {
  readonly #view: ReadonlyView;
  readonly #nodes: StoreNodes;
  readonly #last = new Map<number, ShardCounts>();

  constructor(view: ReadonlyView, nodes: StoreNodes) {
    this.#view = view;
    this.#nodes = nodes;
  }

  sum(): ShardCounts {
    let sum = NONE;
    for (const { incarnation } of this.#view.stores()) {
      const counts = this.#nodes.get(incarnation)?.counts() ?? this.#last.get(incarnation);
      if (counts === undefined) continue;
      this.#last.set(incarnation, counts);
      sum = add(sum, counts);
    }
    return sum;
  }

  down(store: number): void {
    this.#last.delete(store);
  }
}

function add(a: ShardCounts, b: ShardCounts): ShardCounts {
  return {
    retained: a.retained + b.retained,
    queuedMessages: a.queuedMessages + b.queuedMessages,
    queuedBytes: a.queuedBytes + b.queuedBytes,
    dropped: a.dropped + b.dropped,
    notRetained: a.notRetained + b.notRetained,
    storedMessages: a.storedMessages + b.storedMessages,
  };
}
