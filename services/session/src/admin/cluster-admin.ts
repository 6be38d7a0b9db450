/** What an operator asks, at any session node: it asks those that know. */
import type { Logger, Timers } from "@canopy/base";
import {
  type ClusterAdmin,
  type Control,
  ControlError,
  type GroupInfo,
  groupsOf,
  type NodeAdmin,
  type NodeInfo,
  type NodeStatus,
  type NodeWish,
  nodesOf,
  type ReadonlyView,
  type ShardInfo,
  shardsOf,
  type Version,
} from "@canopy/control";

export interface AskingAdminOptions {
  readonly view: ReadonlyView;
  /** Of a session node, also this one. May throw. */
  readonly connect: (node: string) => NodeAdmin;
  /** Finds the leader. */
  readonly control: Pick<Control, "wish">;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Who has said nothing by then, in ms, does not answer. */
const PATIENCE = 2_000;

/** Whether a new leader has begun is looked at so often, ms, and so many times. */
const PAUSE = 50;
const TRIES = 20;

export class AskingAdmin implements ClusterAdmin {
  readonly #options: AskingAdminOptions;

  constructor(options: AskingAdminOptions) {
    this.#options = options;
  }

  async nodes(): Promise<readonly NodeInfo[]> {
    return nodesOf(this.#view(), await this.#statuses());
  }

  async groups(): Promise<readonly GroupInfo[]> {
    return groupsOf(this.#view(), await this.#statuses());
  }

  async shards(): Promise<readonly ShardInfo[]> {
    return shardsOf(this.#view());
  }

  async wish(wish: NodeWish): Promise<Version> {
    if (wish.wish === "replace") await this.#refuseLiving(wish.name);
    return this.#options.control.wish(wish);
  }

  async transfer(group: number, node: string): Promise<void> {
    const groups = await this.groups();
    const known = groups[group];
    if (known === undefined) {
      throw refused(`there is no group ${group}; they go from 0 to ${groups.length - 1}`);
    }
    if (known.leader === node) return;
    if (known.leader === "") {
      throw new ControlError(
        "unavailable",
        `nobody leads group ${group}; see: canopy admin cluster groups`,
      );
    }
    await this.#options.connect(known.leader).handOver(group, node);
    await this.#leads(group, node);
  }

  /** Elected it still has to begin. */
  async #leads(group: number, node: string): Promise<void> {
    const { timers } = this.#options;
    for (let tries = 0; tries < TRIES; tries++) {
      if ((await this.groups())[group]?.leader === node) return;
      await new Promise<void>((resolve) => timers.set(PAUSE, resolve));
    }
    throw new ControlError(
      "unavailable",
      `${node} was elected for group ${group}, and does not lead it yet`,
    );
  }

  /** Its process may be there with a new disk; it is its replicas that must not answer. */
  async #refuseLiving(name: string): Promise<void> {
    const replica = this.#view().node(name)?.replica;
    const answering = (await this.groups()).find(({ replicas }) => {
      return replicas.some((one) => one.replica === replica && one.active);
    });
    if (answering === undefined) return;
    throw refused(
      `${name} answers, or did a moment ago, with the disk that the cluster knows; ` +
        `to take it out: canopy admin cluster remove ${name}`,
    );
  }

  #view(): ReadonlyView {
    const { view } = this.#options;
    if (view.version > 0) return view;
    throw new ControlError(
      "unavailable",
      "this node does not belong to a cluster yet; its log says why",
    );
  }

  async #statuses(): Promise<readonly NodeStatus[]> {
    const names = this.#view()
      .nodes()
      .map(({ name }) => name);
    const asked = await Promise.all(names.map((name) => this.#status(name)));
    return asked.filter((status) => status !== undefined);
  }

  async #status(name: string): Promise<NodeStatus | undefined> {
    const { connect, timers, logger } = this.#options;
    const late = Promise.withResolvers<undefined>();
    const timer = timers.set(PATIENCE, () => late.resolve(undefined));
    try {
      return await Promise.race([connect(name).status(), late.promise]);
    } catch (error) {
      logger.debug({ node: name, error: String(error) }, "a session node does not say how it is");
      return undefined;
    } finally {
      timer.cancel();
    }
  }
}

function refused(message: string): ControlError {
  return new ControlError("refused", message);
}
