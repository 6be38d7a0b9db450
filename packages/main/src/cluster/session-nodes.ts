import type { Lifecycle, Logger, Timer, Timers } from "@canopy/base";
import type { Config } from "@canopy/config";
import type { ReadonlyView } from "@canopy/control";
import { type Dns, discover, systemDns } from "./discovery.ts";

export interface SessionNodesOptions {
  readonly cluster: Config["cluster"];
  /** What is known of the control log, where it names session nodes. */
  readonly view: () => Pick<ReadonlyView, "node" | "nodes"> | undefined;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly dns?: Dns;
}

/** ms. */
const REFRESH = 5_000;
const FIRST_REFRESH = 500;

/** Who the session nodes are and where: by the control log, and by configuration or DNS before that. */
export class SessionNodes implements Lifecycle {
  readonly #options: SessionNodesOptions;
  #known: ReadonlyMap<string, string>;
  #timer: Timer | undefined;
  #waiting: (() => void)[] = [];
  #stopped = false;

  constructor(options: SessionNodesOptions) {
    this.#options = options;
    const nodes = options.cluster.nodes ?? [];
    this.#known = new Map(nodes.map(({ name, endpoint }) => [name, endpoint.text]));
  }

  names(): readonly string[] {
    const names = new Set(this.#known.keys());
    for (const { name } of this.#options.view()?.nodes() ?? []) names.add(name);
    return [...names];
  }

  /** `host:port`; undefined: not known now. A founder that has not been there yet has announced none. */
  address(name: string): string | undefined {
    return this.#options.view()?.node(name)?.address || this.#known.get(name);
  }

  /** As a person would want to read them. */
  describe(names: readonly string[] = this.names()): string {
    return names.map((name) => `${name} (${this.address(name) ?? "not known"})`).join(", ");
  }

  /** Settles when so many are known, in the order of their names; undefined where it was stopped. */
  async founders(count: number): Promise<readonly string[] | undefined> {
    while (!this.#stopped) {
      const names = [...this.#known.keys()].toSorted();
      if (names.length >= count) return names;
      this.#sayWhy(count);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return undefined;
  }

  async start(): Promise<void> {
    await this.#refresh();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#wake();
  }

  #sayWhy(count: number): void {
    const { cluster, logger } = this.#options;
    const found = this.describe([...this.#known.keys()]) || "none";
    const name = cluster.discovery?.host;
    logger.info({ found, wanted: count }, `waiting until ${name} names ${count} session nodes`);
  }

  async #refresh(): Promise<void> {
    const { cluster, timers, dns = systemDns } = this.#options;
    if (cluster.discovery === undefined || this.#stopped) return;
    const found = await discover(cluster.discovery, dns);
    // One that is away for a moment is not forgotten: it is the control log that says who has left.
    if (found.size > 0) this.#known = new Map([...this.#known, ...found]);
    this.#wake();
    if (this.#stopped) return;
    const wait = this.#waiting.length > 0 || found.size === 0 ? FIRST_REFRESH : REFRESH;
    this.#timer = timers.set(wait, () => void this.#refresh());
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
