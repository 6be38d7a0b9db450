/** A control log that a test writes, and what nodes know of it. */
import { type Change, ClusterView, type MemberKind, type VersionedChange } from "@canopy/control";

/** Where it begins: behind what other processes over the same files have seen. */
const FIRST = 1_000;

export class FakeControl {
  readonly #shards: number;
  readonly #log: VersionedChange[] = [];
  readonly #views = new Set<ClusterView>();
  /** These learn nothing until they are taken out again. */
  readonly #behind = new Set<ClusterView>();

  constructor(shards: number) {
    this.#shards = shards;
  }

  get version(): number {
    return this.#log.at(-1)?.version ?? FIRST;
  }

  /** What another node knows; everything so far. */
  view(): ClusterView {
    const view = new ClusterView();
    const places = Array.from({ length: this.#shards }, (_, shard) => place(shard, 0, 0));
    const nothing = { members: [], down: [], nodes: [], bans: [] };
    view.load({ version: FIRST, shards: this.#shards, groups: 1, places, ...nothing });
    this.#views.add(view);
    this.#tell(view);
    return view;
  }

  /** Nothing reaches this view until the function that is returned is called. */
  hold(view: ClusterView): () => void {
    this.#behind.add(view);
    return () => {
      this.#behind.delete(view);
      this.#tell(view);
    };
  }

  /** Returns the incarnation. */
  join(kind: MemberKind): number {
    const incarnation = this.version + 1;
    const member = { kind, incarnation, name: `${kind}-${incarnation}`, address: "", disk: "" };
    return this.commit({ type: "member-up", member });
  }

  down(gateway: number): number {
    return this.commit({ type: "gateway-down", incarnation: gateway });
  }

  gone(gateway: number): number {
    return this.commit({ type: "gateway-gone", incarnation: gateway });
  }

  storeDown(store: number): number {
    return this.commit({ type: "store-down", incarnation: store });
  }

  /** `owner` 0: nobody. */
  own(shard: number, owner: number, epoch: number): number {
    return this.commit({ type: "shard", place: place(shard, owner, epoch) });
  }

  /** Returns its version. */
  commit(change: Change): number {
    const version = this.version + 1;
    this.#log.push({ version, change });
    for (const view of this.#views) if (!this.#behind.has(view)) this.#tell(view);
    return version;
  }

  #tell(view: ClusterView): void {
    const news = this.#log.filter(({ version }) => version > view.version);
    view.apply(news, this.version);
  }
}

function place(shard: number, owner: number, epoch: number) {
  return { shard, owner, epoch, home: "" };
}
