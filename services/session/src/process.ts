/** A session node as a process: what it is made of, and how others reach it. */
import {
  Deferred,
  type Lifecycle,
  type Logger,
  Stack,
  systemClock,
  systemRandom,
  systemTimers,
} from "@canopy/base";
import type { Config } from "@canopy/config";
import { type Process, prepareDataFolder } from "@canopy/main";
import { foundersOf, readTls, SessionNodes } from "@canopy/main/cluster";
import type { RpcTls } from "@canopy/rpc";
import { ServedNode } from "./process/served-node.ts";

export function compose(config: Config, logger: Logger, version: string): Process {
  const node = new NodeProcess(config, logger, { version, tls: readTls(config) });
  const { name } = config.node;
  return {
    failed: node.failed.promise,
    get ready() {
      const { address } = node;
      return { message: `session node ${name} is ready: ${address}`, name, address };
    },
    start: () => node.start(),
    stop: () => node.stop(),
  };
}

interface More {
  readonly version: string;
  readonly tls: RpcTls | undefined;
}

class NodeProcess implements Lifecycle {
  readonly failed = new Deferred<string>();
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #more: More;
  readonly #nodes: SessionNodes;
  readonly #stack = new Stack();
  #served: ServedNode | undefined;

  constructor(config: Config, logger: Logger, more: More) {
    const { cluster } = config;
    const view = () => this.#served?.node.control.view;
    this.#config = config;
    this.#logger = logger;
    this.#more = more;
    this.#nodes = new SessionNodes({ cluster, view, timers: systemTimers, logger });
    this.#stack.add(this.#nodes);
    this.#stack.add({ start: () => this.#serve(), stop: async () => this.#served?.stop() });
  }

  /** Where others reach it, once started. */
  get address(): string {
    return this.#served?.address ?? "";
  }

  async start(): Promise<void> {
    const { data, store, session } = this.#config;
    const fixed = { "store.shards": store.shards, "session.groups": session.groups };
    await prepareDataFolder(data, { role: "session", fixed });
    await this.#stack.start();
  }

  stop(): Promise<void> {
    return this.#stack.stop();
  }

  async #serve(): Promise<void> {
    const founders = await foundersOf(this.#config, this.#nodes);
    if (founders === undefined) return;
    this.#served = new ServedNode({
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      logger: this.#logger,
      config: this.#config,
      ...this.#more,
      nodes: this.#nodes,
      founders,
      onEnded: (reason) => this.failed.resolve(reason),
    });
    await this.#served.start();
  }
}
