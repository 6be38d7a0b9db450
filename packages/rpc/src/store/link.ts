/** A gateway's link to one life of a store process, which is kept up. */
import {
  type Lifecycle,
  type Logger,
  type Random,
  systemRandom,
  systemTimers,
  type Timer,
  type Timers,
} from "@canopy/base";
import type { Shards } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import type { RpcChannel } from "../channel.ts";
import { encodeMessage } from "../definition.ts";
import { RpcError } from "../errors.ts";
import { LinkOpeningSchema, Shards as Service } from "../gen/canopy/store/v1/shards_pb.ts";
import { DEADLINE_MS } from "../limits.ts";
import { createCaller } from "../requests/callers.ts";
import { FIRST_PAUSE, LONGEST_PAUSE, PUSH_WINDOW, SHARD_WINDOW } from "./limits.ts";
import { Opening } from "./opening.ts";
import type { RemoteShards } from "./port.ts";

export interface StoreLinkOptions {
  /** Its connection: nobody else's, as it is given up where the link can't be relied on. */
  readonly channel: RpcChannel;
  /** The incarnation of the store process. */
  readonly store: number;
  /** That of the gateway. */
  readonly topics: () => TopicTable;
  readonly logger: Logger;
  /** Of calls, and of requests other than interests, ms. */
  readonly deadline?: number;
  /** What each shard may have and not have released, in bytes. */
  readonly shardWindow?: number;
  /** What the process may have pushed without an acknowledgement, in bytes. */
  readonly pushWindow?: number;
  readonly timers?: Timers;
  readonly random?: Random;
  /** There is a port; another one each time. */
  readonly onConnected?: () => void;
  /** It is of no use any more: see StoreNodes.get() in packages/cluster. */
  readonly onDisconnected?: () => void;
}

export class StoreLink implements Lifecycle {
  readonly #options: StoreLinkOptions;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #caller: ReturnType<typeof createCaller>;
  #opening: Opening | undefined;
  #port: RemoteShards | undefined;
  #unlisten: (() => void) | undefined;
  #timer: Timer | undefined;
  #failures = 0;

  constructor(options: StoreLinkOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#random = options.random ?? systemRandom;
    this.#caller = createCaller(options.random);
  }

  /** While it is connected. */
  get port(): Shards | undefined {
    return this.#port;
  }

  /** Settles at once: it connects as soon as it can. */
  async start(): Promise<void> {
    const { channel } = this.#options;
    this.#unlisten = channel.onState((state) => {
      if (state === "ready") this.#open();
      else this.#end(new RpcError("unavailable", "the connection broke"));
    });
    this.#open();
  }

  async stop(): Promise<void> {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#timer?.cancel();
    this.#end(new RpcError("unavailable", "the link was closed"));
  }

  /** What the process says can't be relied on: the connection is made anew. */
  reset(): void {
    if (this.#port === undefined) return;
    this.#options.logger.warn(
      { store: this.#options.store },
      "a link to a store process is made anew",
    );
    this.#end(new RpcError("unavailable", "the link was reset"));
    this.#options.channel.reconnect();
  }

  #open(): void {
    const { channel, store, topics, logger } = this.#options;
    if (this.#opening !== undefined || this.#unlisten === undefined) return;
    if (channel.state !== "ready") return;
    this.#timer?.cancel();
    const shardWindow = this.#options.shardWindow ?? SHARD_WINDOW;
    const opening = new Opening({
      channel,
      store,
      topics: topics(),
      opening: encodeMessage(LinkOpeningSchema, {
        store: BigInt(store),
        caller: this.#caller(),
        shardWindow: BigInt(shardWindow),
      }),
      shardWindow,
      pushWindow: this.#options.pushWindow ?? PUSH_WINDOW,
      deadline: this.#options.deadline ?? DEADLINE_MS,
      timers: this.#timers,
      logger,
      ended: (error) => {
        if (this.#opening === opening) this.#end(error);
      },
    });
    this.#opening = opening;
    void opening.open(Service.method).then((port) => {
      if (port !== undefined && this.#opening === opening) this.#connected(port);
    });
  }

  #connected(port: RemoteShards): void {
    this.#port = port;
    this.#failures = 0;
    this.#options.onConnected?.();
  }

  #end(error: Error): void {
    const { store, logger, onDisconnected } = this.#options;
    const wasConnected = this.#port !== undefined;
    if (this.#opening === undefined) return;
    this.#opening.close(error);
    this.#opening = undefined;
    this.#port = undefined;
    if (wasConnected) {
      logger.info({ store, reason: error.message }, "the link to a store process has ended");
      onDisconnected?.();
    }
    if (this.#unlisten !== undefined) this.#pause();
  }

  /** Where the connection is up, it is tried again then; else when it is. */
  #pause(): void {
    const longest = Math.min(FIRST_PAUSE * 2 ** this.#failures++, LONGEST_PAUSE);
    const pause = longest * (1 - this.#random.next() / 2);
    this.#timer?.cancel();
    this.#timer = this.#timers.set(pause, () => this.#open());
  }
}
