import type { Clock, Lifecycle, Logger, Random, Timers } from "@canopy/base";
import { ControlClient, LeaseKeeper } from "@canopy/cluster";
import type { MemberKind, ReadonlyView } from "@canopy/control";
import type { ControlService } from "@canopy/session-service";
import type { Shards } from "@canopy/store";
import { ownAsMember, type StoreServiceOptions } from "@canopy/store-service";

interface Parts {
  readonly node: string;
  readonly control: ControlService;
  /** Of the data folder. */
  readonly disk: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The gateway and the store process that this process is, as members of its cluster: of each start
 * anew, and in place of those of the last one.
 */
export class Members implements Lifecycle {
  readonly #view: ReadonlyView;
  readonly #client: ControlClient;
  readonly #store: LeaseKeeper;
  readonly #gateway: LeaseKeeper;
  #unlisten: () => void = () => {};

  constructor(parts: Parts) {
    const { node, control, disk } = parts;
    this.#view = control.view;
    this.#client = new ControlClient({
      ...parts,
      nodes: () => [node],
      connect: () => control.control,
    });
    const keeper = (kind: MemberKind, its: string) => {
      // Their leases never end.
      const owner = { expired() {}, renewed() {}, ended() {}, behind() {} };
      const whole = { ...parts, kind, name: node, address: "", disk: its, owner };
      return new LeaseKeeper({ ...whole, control: this.#client });
    };
    this.#store = keeper("store", disk);
    this.#gateway = keeper("gateway", "");
  }

  /** Incarnation of the gateway, once started. */
  get gateway(): number {
    return this.#gateway.incarnation;
  }

  /** Both are known to the control group, and every shard is this store's. */
  async start(): Promise<void> {
    const store = await this.#store.join();
    // Shards wait for gateways that do not know of their owner: so the owner comes first.
    await this.#until(({ shards }) => {
      return shards > 0 && this.#view.places().every(({ owner }) => owner === store);
    });
    const gateway = await this.#gateway.join();
    await this.#until(({ version }) => version >= gateway);
  }

  async stop(): Promise<void> {
    this.#unlisten();
    this.#store.stop();
    this.#gateway.stop();
    this.#client.close();
  }

  readonly ownership: NonNullable<StoreServiceOptions["ownership"]> = (control) =>
    ownAsMember({
      view: this.#view,
      incarnation: () => this.#store.incarnation,
      valid: () => true,
      reopen: (shard) => this.#client.reopen(this.#store.incarnation, shard),
      acknowledge: (version) => this.#store.acknowledge(version),
      waits: true,
    })(control);

  /** The gateway obeys at once, and shards wait until it says so: from when it is registered. */
  knowing(shards: Pick<Shards, "known">): Lifecycle {
    const tell = (version: number): void => {
      shards.known(this.gateway, version);
      this.#gateway.acknowledge(version);
    };
    return {
      start: async () => {
        this.#unlisten = this.#view.listen((_changes, version) => tell(version));
        tell(this.#view.version);
      },
      stop: async () => {
        this.#unlisten();
      },
    };
  }

  async #until(condition: (view: ReadonlyView) => boolean): Promise<void> {
    if (condition(this.#view)) return;
    await new Promise<void>((resolve) => {
      const unlisten = this.#view.listen(() => {
        if (!condition(this.#view)) return;
        unlisten();
        resolve();
      });
    });
  }
}
