import { ClusterView } from "@canopy/control";

/**
 * What the control log says where there is none: one gateway and one store process, which owns every
 * shard, live and end with this process. Their incarnations follow on those of its earlier lives.
 */
export class Alone {
  readonly view: ClusterView = new ClusterView();
  readonly #shards: number;
  #gateway = 0;

  constructor(shards: number) {
    this.#shards = shards;
  }

  /** Incarnation of the gateway, once this life has begun. */
  get gateway(): number {
    return this.#gateway;
  }

  /** `version`: what the group of the sessions knows from earlier lives. */
  begin(version: number): void {
    const store = version + 1;
    this.#gateway = version + 2;
    const common = { name: "alone", address: "", disk: "" };
    const places = Array.from({ length: this.#shards }, (_, shard) => ({
      shard,
      owner: store,
      epoch: 0,
      home: "",
    }));
    this.view.load({
      version: this.#gateway,
      shards: this.#shards,
      groups: 1,
      members: [
        { ...common, kind: "store", incarnation: store },
        { ...common, kind: "gateway", incarnation: this.#gateway },
      ],
      down: [],
      places,
      nodes: [],
      bans: [],
    });
  }
}
