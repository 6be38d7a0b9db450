/** How a node comes into its cluster: with what it has on its disk, as one that creates it, or later. */
import type { Logger, Timers } from "@canopy/base";
import { type Announced, type Control, ControlError } from "@canopy/control";
import type { GroupOptions, NodeName, RaftHost, RaftStorage } from "@canopy/raft";

interface Parts {
  readonly name: NodeName;
  readonly founders: readonly NodeName[];
  readonly storage: Pick<RaftStorage, "disk" | "groups" | "givenUp">;
  readonly host: Pick<RaftHost, "close">;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Opens the control group here; rejects where it was closed before it was there. */
  readonly start: () => Promise<void>;
}

const CONTROL = 0;
/** Between two tries to be let in, ms. */
const PAUSE = 1_000;

export class Entering {
  readonly #parts: Parts;
  /** The replica that the control log says it is. */
  #given = 0;
  #why: string | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** For groups that are not on the disk. */
  get bootstrap(): GroupOptions["bootstrap"] {
    const replica = this.#given || (this.#parts.storage.groups.get(CONTROL)?.replica ?? 0);
    const { founders } = this;
    // Who creates the cluster does so for all of its groups, also after a restart halfway.
    if (founders !== undefined && (replica === 0 || replica === founders.replica)) return founders;
    return replica === 0 ? undefined : { replica, voters: new Map() };
  }

  /** What keeps it out, and what can be done about it. */
  get why(): string | undefined {
    return this.#why;
  }

  /** Undefined for a node that is none of those that create the cluster, or has left it since. */
  get founders(): GroupOptions["bootstrap"] {
    const { name, founders, storage } = this.#parts;
    const voters = new Map(founders.toSorted().map((node, i) => [i + 1, node] as const));
    const [replica] = [...voters].find(([, node]) => node === name) ?? [];
    const wasThere = replica !== undefined && replica <= (storage.givenUp.get(CONTROL) ?? 0);
    return replica === undefined || wasThere ? undefined : { replica, voters };
  }

  async run(control: Pick<Control, "announce">, address: string): Promise<void> {
    const isThere = this.#parts.storage.groups.has(CONTROL);
    const announced = this.#announce(control, address);
    // Heard of below, or not at all where start() fails.
    announced.catch(() => {});
    if (isThere || this.founders !== undefined) {
      const started = this.#parts.start();
      const first = await Promise.race([started.then(() => undefined), announced]);
      const isOther = first !== undefined && !isThere && first.replica !== this.founders?.replica;
      if (!isOther) {
        await started;
        await announced;
        return;
      }
      // The cluster runs, and has given this node, whose disk was lost, a new place.
      await this.#parts.host.close(CONTROL);
      await started.catch(() => {});
    } else {
      await announced;
    }
    await this.#parts.start();
  }

  /** Until it is let in. */
  async #announce(control: Pick<Control, "announce">, address: string): Promise<Announced> {
    const { name, storage, logger } = this.#parts;
    for (;;) {
      const replica = storage.groups.get(CONTROL)?.replica ?? 0;
      try {
        const announced = await control.announce({ name, address, disk: storage.disk, replica });
        this.#given = announced.replica;
        this.#why = undefined;
        return announced;
      } catch (error) {
        if (!(error instanceof ControlError) || error.code === "closed") throw error;
        const why = error.code === "refused" ? error.message : undefined;
        if (why !== undefined && why !== this.#why) logger.warn({}, `waiting to be let in: ${why}`);
        this.#why = why;
      }
      await new Promise<void>((resolve) => this.#parts.timers.set(PAUSE, resolve));
    }
  }
}
