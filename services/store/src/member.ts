import type { Change, Incarnation, ReadonlyView, Version, VersionedChange } from "@canopy/control";
import type { Ownership, ShardControl } from "./ownership.ts";

/** This process's life in the cluster, as packages/cluster keeps it. */
export interface StoreLife {
  /** What is known of the control log; at this life's version, at least, before the service is started. */
  readonly view: ReadonlyView;
  /** See {@link Ownership}. */
  readonly incarnation: () => Incarnation;
  readonly valid: () => boolean;
  /** Asks for the next epoch of a shard. */
  readonly reopen: (shard: number) => Promise<unknown>;
  /** Everything up to this version is obeyed here. */
  readonly acknowledge: (version: Version) => void;
  /** Whether start() waits until the shards that it has then accept messages. */
  readonly waits: boolean;
}

/** Owns what the control log says, and treats gateways as it says, until this life ends. */
export function ownAsMember(life: StoreLife): (control: ShardControl) => Ownership {
  return (control) => {
    const follower = new Follower(life, control);
    return {
      get incarnation() {
        return life.incarnation();
      },
      start: () => follower.start(),
      reopen: async (shard) => {
        await life.reopen(shard);
      },
      valid: life.valid,
    };
  };
}

class Follower {
  readonly #life: StoreLife;
  readonly #control: ShardControl;
  readonly #owned = new Set<number>();

  constructor(life: StoreLife, control: ShardControl) {
    this.#life = life;
    this.#control = control;
  }

  async start(): Promise<void> {
    const { view, acknowledge, waits } = this.#life;
    for (const { incarnation } of view.gateways()) this.#control.gatewayUp(incarnation);
    for (const { incarnation } of view.down()) this.#control.gatewayDown(incarnation);
    view.listen((changes, version) => this.#changed(changes, version));
    const opened = view.places().map(({ shard }) => this.#follow(shard, view.version));
    acknowledge(view.version);
    if (waits) await Promise.all(opened);
    // One that fails is tried again, and has said so.
    else void Promise.allSettled(opened);
  }

  #changed(changes: readonly VersionedChange[], version: Version): void {
    for (const { change, version: at } of changes) this.#obey(change, at);
    this.#life.acknowledge(version);
  }

  #obey(change: Change, version: Version): void {
    if (change.type === "member-up" && change.member.kind === "gateway") {
      this.#control.gatewayUp(change.member.incarnation);
    } else if (change.type === "gateway-down") {
      this.#control.gatewayDown(change.incarnation);
    } else if (change.type === "shard") {
      this.#follow(change.place.shard, version).catch(() => {});
    }
  }

  /** Settles when the shard accepts messages, or is nobody's matter here. */
  async #follow(shard: number, version: Version): Promise<void> {
    const { owner, epoch } = this.#life.view.place(shard);
    if (owner === this.#life.incarnation()) {
      this.#owned.add(shard);
      await this.#control.own(shard, epoch, version);
    } else if (this.#owned.delete(shard)) {
      await this.#control.lose(shard);
    }
  }
}
