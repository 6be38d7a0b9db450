import { type Clock, Deferred, type Logger, type Random, type Timers } from "@canopy/base";
import { GroupQueries } from "@canopy/cluster";
import type { Config } from "@canopy/config";
import type { ReadonlyView } from "@canopy/control";
import {
  advertised,
  type Channels,
  type Life,
  Membership,
  type SessionNodes,
} from "@canopy/main/cluster";
import {
  queriesOver,
  RoutesService,
  RpcServer,
  type RpcTls,
  routesHandlers,
  ShardsService,
  shardsHandlers,
} from "@canopy/rpc";
import { type RouteSink, SessionError } from "@canopy/session";
import type { Store } from "@canopy/store";
import { TopicTable } from "@canopy/topic";
import { ownAsMember } from "../member.ts";
import { createStoreService, type StoreService } from "../service.ts";

export interface StoreLifeParts {
  readonly config: Config;
  /** Where it listens, as in RpcServerOptions. */
  readonly listen: string;
  /** The name of the data folder, and what is in it. */
  readonly disk: string;
  readonly store: Store;
  readonly tls: RpcTls | undefined;
  readonly nodes: SessionNodes;
  /** To the session nodes, by name. */
  readonly channels: Channels;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

/** One life of a store process in the cluster: from its joining to the end of its lease. */
export class StoreLife implements Life {
  readonly over: Promise<string>;
  readonly #parts: StoreLifeParts;
  readonly #server: RpcServer;
  readonly #over = new Deferred<string>();
  readonly #queries: GroupQueries[] = [];
  #membership: Membership | undefined;
  #topics: TopicTable | undefined;
  #service: StoreService | undefined;

  constructor(parts: StoreLifeParts) {
    this.#parts = parts;
    this.over = this.#over.promise;
    this.#server = this.#serving();
  }

  /** Where it listens, once started. */
  get listening(): string {
    return this.#server.address;
  }

  /** Where others reach it, once started. */
  get address(): string {
    return advertised(this.#parts.config, this.#server.address);
  }

  /** Undefined: it knows nothing of the cluster yet. */
  get view(): ReadonlyView | undefined {
    return this.#membership?.view;
  }

  /** It listens before it joins: from then on others know where. Settles when it is a member. */
  async start(): Promise<void> {
    await this.#server.start();
    const membership = this.#joining();
    this.#membership = membership;
    void membership.over.then((reason) => this.#over.resolve(reason));
    await membership.start();
    this.#service = this.#assemble(membership);
    await this.#service.start();
    this.#say(true);
  }

  /** What is under way is answered before others are told. */
  async stop(): Promise<void> {
    this.#say(false);
    await this.#service?.stop();
    await this.#membership?.leave();
    await this.#server.stop();
    await this.#end();
  }

  async abandon(): Promise<void> {
    this.#say(false);
    await this.#end();
    await this.#server.stop();
    await this.#service?.stop();
  }

  async #end(): Promise<void> {
    for (const queries of this.#queries) queries.close();
    await this.#membership?.stop();
  }

  #joining(): Membership {
    const { config, disk, nodes, tls, logger } = this.#parts;
    return new Membership({
      kind: "store",
      name: config.node.name,
      address: this.address,
      disk,
      nodes,
      tls,
      logger,
      expired: () => this.#say(false),
      renewed: () => this.#say(true),
    });
  }

  #serving(): RpcServer {
    const { listen, tls, logger } = this.#parts;
    const server = new RpcServer({ address: listen, tls, logger });
    server.add(
      ShardsService,
      shardsHandlers({
        shards: () => this.#service?.shards,
        incarnation: () => this.#membership?.incarnation ?? 0,
        topics: () => required(this.#topics),
        logger,
      }),
    );
    const routes = routesOf(() => required(this.#service).routeSink);
    server.add(RoutesService, routesHandlers(routes, logger));
    return server;
  }

  /** As the view says now: what follows from it is fixed when the cluster is created. */
  #assemble(membership: Membership): StoreService {
    const { config, store, clock, timers, random, logger } = this.#parts;
    const { view } = membership;
    const queries = this.#queriesOf(view.groups);
    const topics = new TopicTable(view.shards);
    this.#topics = topics;
    return createStoreService({
      clock,
      timers,
      random,
      logger,
      store,
      topics,
      shards: view.shards,
      queries: () => queries,
      ownership: ownAsMember({
        view,
        incarnation: () => membership.incarnation,
        valid: membership.valid,
        reopen: (shard) => membership.client.reopen(membership.incarnation, shard),
        acknowledge: membership.acknowledge,
        // It may have none, and others know of those that it has.
        waits: false,
      }),
      limits: {
        maxQueuedMessages: config.limits.maxQueuedMessages,
        maxQueuedBytes: config.limits.maxQueuedBytes,
        maxQueuedAge: config.limits.maxQueuedAge,
        maxRetained: config.limits.maxRetainedMessages,
      },
      shared: {
        strategy: config.shared.strategy,
        strategies: Object.fromEntries(config.shared.strategies),
      },
      waitTimeout: config.store.waitTimeout,
    });
  }

  #queriesOf(groups: number): readonly GroupQueries[] {
    const { nodes, channels, clock, timers, random } = this.#parts;
    for (let group = 1; group <= groups; group++) {
      const queries = new GroupQueries(group, {
        nodes: () => nodes.names(),
        connect: (node, its) => queriesOver(channels.get(node), its),
        clock,
        timers,
        random,
      });
      this.#queries.push(queries);
    }
    return this.#queries;
  }

  #say(isServing: boolean): void {
    this.#server.setServing(ShardsService, isServing);
    this.#server.setServing(RoutesService, isServing);
  }
}

/** The service's, once that is there; who asks before asks again. */
function routesOf(sink: () => RouteSink): RouteSink {
  return {
    heads: async () => sink().heads(),
    routes: async (batch) => sink().routes(batch),
    publishWill: async (will) => sink().publishWill(will),
    sessionsEnded: async (incarnations) => sink().sessionsEnded(incarnations),
  };
}

function required<T>(found: T | undefined): T {
  if (found !== undefined) return found;
  throw new SessionError("unavailable", "the store process has not joined the cluster yet");
}
