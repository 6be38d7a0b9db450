import { Deferred, type Timer } from "@canopy/base";
import { type LoadParts, loadShard } from "./load.ts";
import { isLost, RETRY_AFTER } from "./owner.ts";
import type { Ownership, ShardControl } from "./ownership.ts";
import { type Parts, shardOf } from "./parts.ts";
import { gatewayOf } from "./sender.ts";
import type { Shard } from "./shard.ts";

/** What makes this process the owner of a shard, until the next one. */
interface Tenure {
  readonly epoch: number;
  readonly version: number;
  /** All but the gateways is there. */
  isLoaded: boolean;
  isReady: boolean;
  readonly ready: Deferred;
}

export interface OpeningParts extends LoadParts, Pick<Parts, "shards" | "gateways"> {
  readonly ownership: () => Ownership;
}

/** Opens shards that this process is given, and closes those that it loses. */
export class Openings implements ShardControl {
  readonly #parts: OpeningParts;
  readonly #tenures = new Map<Shard, Tenure>();
  /** Live gateways, and what version of the control log each knows. */
  readonly #gateways = new Map<number, number>();
  /** The highest version of which anything was heard: what joined before it is known. */
  #version = 0;
  /** Whatever has to end when the service stops. */
  readonly #pauses = new Map<Timer, () => void>();
  #routes: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: OpeningParts) {
    this.#parts = parts;
  }

  // --- gateways ---------------------------------------------------------------------------------

  gatewayUp(gateway: number): void {
    this.#version = Math.max(this.#version, gateway);
    // It begins with what was before it, and with nobody connected.
    if (!this.#gateways.has(gateway)) this.#gateways.set(gateway, gateway);
  }

  gatewayDown(gateway: number): void {
    this.#version = Math.max(this.#version, gateway);
    this.#gateways.delete(gateway);
    this.#parts.gateways.down(gateway);
    for (const shard of this.#parts.shards) shard.forget(gateway);
    this.#acceptAll();
  }

  isLive(gateway: number): boolean {
    return this.#gateways.has(gateway);
  }

  /** It was live once. */
  isDown(gateway: number): boolean {
    const joined = Math.max(this.#version, this.#parts.ownership().incarnation);
    return gateway <= joined && !this.#gateways.has(gateway);
  }

  known(gateway: number, version: number): void {
    const before = this.#gateways.get(gateway);
    if (before === undefined) return;
    this.#gateways.set(gateway, Math.max(before, version));
    this.#acceptAll();
  }

  // --- shards -----------------------------------------------------------------------------------

  async own(number: number, epoch: number, version: number): Promise<void> {
    const shard = shardOf(this.#parts.shards, number);
    const before = this.#tenures.get(shard);
    this.#version = Math.max(this.#version, version);
    if (this.#isStopped || (before !== undefined && before.epoch >= epoch)) return;
    const tenure = { epoch, version, isLoaded: false, isReady: false, ready: new Deferred() };
    tenure.ready.promise.catch(() => {});
    before?.ready.resolve();
    this.#tenures.set(shard, tenure);
    // Gateways in other processes drop what comes under the epoch before: what is in flight is asked anew.
    if (this.#gateways.size > 0) shard.pause();
    shard.own(epoch);
    void this.#open(shard, tenure);
    await tenure.ready.promise;
  }

  async lose(number: number): Promise<void> {
    const shard = shardOf(this.#parts.shards, number);
    this.#tenures.get(shard)?.ready.resolve();
    if (!this.#tenures.delete(shard)) return;
    this.#parts.shares.dropShard(number);
    await shard.lose();
  }

  stop(): void {
    this.#isStopped = true;
    for (const { ready } of this.#tenures.values()) ready.resolve();
    this.#tenures.clear();
    for (const [timer, goOn] of this.#pauses) {
      timer.cancel();
      goOn();
    }
  }

  async #open(shard: Shard, tenure: Tenure): Promise<void> {
    await shard.lost();
    while (this.#isStill(shard, tenure)) {
      try {
        await this.#attempt(shard, tenure);
        return;
      } catch (error) {
        if (!this.#isStill(shard, tenure)) return;
        this.#report(shard, tenure, error);
        if (isLost(error)) this.#askAgain(shard, tenure);
        await this.#pause();
      }
    }
  }

  async #attempt(shard: Shard, tenure: Tenure): Promise<void> {
    const { owner } = shard;
    if (owner.current === undefined || owner.epoch !== tenure.epoch) await owner.open();
    if (!this.#isStill(shard, tenure)) return;
    if (!shard.isReady) {
      await this.#loadRoutes();
      await loadShard(this.#parts, shard);
    }
    if (!this.#isStill(shard, tenure)) return;
    tenure.isLoaded = true;
    shard.owner.opened(undefined);
    this.#accept(shard, tenure);
    for (const { sender } of owner.require().senders()) {
      const gateway = gatewayOf(sender);
      if (gateway !== 0 && this.isDown(gateway)) shard.forget(gateway);
    }
  }

  /** The first time; later ones are the same mostly. */
  #report(shard: Shard, tenure: Tenure, error: unknown): void {
    if (tenure.ready.settled) return;
    tenure.ready.reject(error);
    const { logger } = this.#parts.options;
    logger.warn({ err: error, shard: shard.number, epoch: tenure.epoch }, "a shard opens later");
  }

  #askAgain(shard: Shard, tenure: Tenure): void {
    this.#parts
      .ownership()
      .reopen(shard.number, tenure.epoch)
      .catch((error: unknown) => {
        const { logger } = this.#parts.options;
        logger.warn({ err: error, shard: shard.number }, "a higher epoch can't be asked for");
      });
  }

  #acceptAll(): void {
    for (const [shard, tenure] of this.#tenures) this.#accept(shard, tenure);
  }

  #accept(shard: Shard, tenure: Tenure): void {
    if (!tenure.isLoaded || tenure.isReady) return;
    for (const version of this.#gateways.values()) if (version < tenure.version) return;
    tenure.isReady = true;
    shard.ready(tenure.epoch);
    this.#parts.shares.begin(shard.number);
    tenure.ready.resolve();
  }

  #isStill(shard: Shard, tenure: Tenure): boolean {
    return this.#tenures.get(shard) === tenure;
  }

  /**
   * Of every group, as of a moment after this call: shards that are opened at one time share the
   * answers.
   */
  #loadRoutes(): Promise<void> {
    this.#routes ??= Promise.resolve().then(async () => {
      this.#routes = undefined;
      const { groups, ownership, routes } = this.#parts;
      const loads = groups.all.map(async (group) =>
        routes.load(await group.routes(ownership().incarnation)),
      );
      await Promise.all(loads);
    });
    return this.#routes;
  }

  async #pause(): Promise<void> {
    if (this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const timer = this.#parts.options.timers.set(RETRY_AFTER, () => {
        this.#pauses.delete(timer);
        resolve();
      });
      this.#pauses.set(timer, resolve);
    });
  }
}
