/** A session node, and the server that other processes reach it by. */
import { join } from "node:path";
import {
  type Clock,
  type Lifecycle,
  type Logger,
  type Random,
  Stack,
  type Timers,
} from "@canopy/base";
import { ControlClient } from "@canopy/cluster";
import type { Config } from "@canopy/config";
import type { Control, Member, NodeAdmin } from "@canopy/control";
import { advertised, Channels, once, type SessionNodes, sayWaiting } from "@canopy/main/cluster";
import {
  ClusterAdminService,
  ControlService,
  clusterAdminHandlers,
  controlHandlers,
  controlOver,
  GrpcTransport,
  NodeAdminService,
  nodeAdminHandlers,
  nodeAdminOver,
  QueriesService,
  queriesHandlers,
  Raft,
  RpcServer,
  type RpcTls,
  routesOver,
  SessionsService,
  sessionsHandlers,
} from "@canopy/rpc";
import type { RouteSink } from "@canopy/session";
import { AskingAdmin } from "../admin/cluster-admin.ts";
import { LocalAdmin } from "../admin/node-admin.ts";
import { SessionNode } from "../node.ts";
import { handOver } from "./handing-over.ts";
import { StoreSinks } from "./store-sinks.ts";

/** ms; an election begins 0.5 to 1 s after the leader's last word. */
const RAFT_TICK = 50;
/** Bytes of the log that are kept for followers that are a little slow, of each group. */
const KEEP_TAIL: number = 16 << 20;

export interface ServedNodeParts {
  readonly config: Config;
  /** Of the software. */
  readonly version: string;
  readonly tls: RpcTls | undefined;
  readonly nodes: SessionNodes;
  /** See SessionNodeOptions. */
  readonly founders: readonly string[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly onEnded: (reason: string) => void;
}

/** start() settles when every group has a leader, here or elsewhere; it says whom it waits for. */
export class ServedNode implements Lifecycle {
  readonly node: SessionNode;
  readonly #parts: ServedNodeParts;
  /** To the other nodes, for what is not Raft. */
  readonly #peers: Channels;
  /** To store processes, by their incarnation. */
  readonly #stores: Channels;
  readonly #sinks: StoreSinks;
  readonly #server: RpcServer;
  readonly #control: ControlClient;
  readonly #stack = new Stack();

  constructor(parts: ServedNodeParts) {
    const { config, tls, nodes, logger } = parts;
    this.#parts = parts;
    this.#peers = new Channels({ address: (name) => nodes.address(name), tls, logger });
    const storeAt = (key: string) => this.node.control.view.member(Number(key))?.address;
    this.#stores = new Channels({ address: storeAt, tls, logger });
    const resolve = (name: string) => nodes.address(name);
    const transport = new GrpcTransport({ node: config.node.name, resolve, tls, logger });
    this.node = sessionNode(parts, transport, (member) => this.#sinks.of(member));
    this.#sinks = new StoreSinks({
      view: this.node.control.view,
      connect: ({ incarnation }) => routesOver(this.#stores.get(String(incarnation))),
      drop: ({ incarnation }) => this.#stores.drop(String(incarnation)),
    });
    this.#control = new ControlClient({
      ...parts,
      nodes: () => nodes.names(),
      connect: once((name) => this.#controlOf(name)),
    });
    this.#server = this.#serving(transport);
    this.#assemble();
  }

  /** Where others reach it, once started. */
  get address(): string {
    return advertised(this.#parts.config, this.#server.address);
  }

  start(): Promise<void> {
    return this.#stack.start();
  }

  async stop(): Promise<void> {
    const { control, groups } = this.node;
    const { timers, logger } = this.#parts;
    this.#control.close();
    await handOver([control.raft, ...groups.map(({ raft }) => raft)], timers, logger);
    await this.#stack.stop();
  }

  /** Others are answered from the beginning: what is not there yet says so itself. */
  #serving(transport: GrpcTransport): RpcServer {
    const { config, tls, logger } = this.#parts;
    const { control } = this.node.control;
    const server = new RpcServer({ address: config.rpc.listen.text, tls, logger });
    server.add(Raft, transport.handlers);
    server.add(ControlService, controlHandlers(control));
    const group = (number: number) => this.node.group(number)?.sessions;
    server.add(SessionsService, sessionsHandlers({ group, logger }));
    server.add(
      QueriesService,
      queriesHandlers((number) => this.node.group(number)?.queries),
    );
    this.#serveAdmin(server);
    for (const service of [ControlService, SessionsService, QueriesService]) {
      server.setServing(service, false);
    }
    return server;
  }

  /** Also of a node that is not let in: an operator may ask any. */
  #serveAdmin(server: RpcServer): void {
    const { config, version, timers, logger } = this.#parts;
    const { view } = this.node.control;
    const local = new LocalAdmin(config.node.name, version, this.node);
    const connect = (name: string): NodeAdmin =>
      name === config.node.name ? local : nodeAdminOver(this.#peers.get(name));
    const admin = new AskingAdmin({ view, connect, control: this.#control, timers, logger });
    server.add(NodeAdminService, nodeAdminHandlers(local));
    server.add(
      ClusterAdminService,
      clusterAdminHandlers(admin, () => view.version),
    );
  }

  #assemble(): void {
    const { node } = this;
    const stack = this.#stack;
    stack.add(this.#meeting());
    stack.add(this.#stores);
    stack.add(node.raft);
    stack.add(this.#server);
    stack.add(
      this.#waiting(
        {
          start: () => node.enter(this.#control, this.address),
          stop: () => node.control.stop(),
        },
        () => this.#describe(node.waitsFor),
      ),
    );
    stack.add(this.#serves([ControlService]));
    stack.add(this.#waiting(node.sessions, () => this.#describe([])));
    stack.add(this.#serves([SessionsService, QueriesService]));
  }

  #waiting(part: Lifecycle, what: () => string): Lifecycle {
    return {
      start: () => sayWaiting(part.start(), what, this.#parts),
      stop: () => part.stop(),
    };
  }

  #serves(services: readonly Parameters<RpcServer["setServing"]>[0][]): Lifecycle {
    const say = async (isServing: boolean): Promise<void> => {
      for (const service of services) this.#server.setServing(service, isServing);
    };
    return { start: () => say(true), stop: () => say(false) };
  }

  /** Connected from the beginning, so that it can be said who is missing. */
  #meeting(): Lifecycle {
    return {
      start: async () => {
        for (const name of this.#others()) this.#peers.get(name);
      },
      stop: () => this.#peers.stop(),
    };
  }

  #others(): readonly string[] {
    const { nodes, config } = this.#parts;
    return nodes.names().filter((name) => name !== config.node.name);
  }

  /** Those that have not been met yet, by name or with what keeps them from it; or who is missing now. */
  #describe(unmet: readonly string[]): string {
    const { nodes } = this.#parts;
    if (unmet.length > 0) {
      const whom = unmet.map((one) => (nodes.names().includes(one) ? nodes.describe([one]) : one));
      return `those that create the cluster together: ${whom.join(", ")}`;
    }
    const away = this.#others().filter((name) => this.#peers.get(name).state !== "ready");
    return `a leader of every group; out of reach: ${nodes.describe(away) || "no other node"}`;
  }

  #controlOf(name: string): Control {
    if (name === this.#parts.config.node.name) return this.node.control.control;
    return controlOver(this.#peers.get(name));
  }
}

function sessionNode(
  parts: ServedNodeParts,
  transport: GrpcTransport,
  store: (member: Member) => RouteSink,
): SessionNode {
  const { config, founders, clock, timers, random, logger, onEnded } = parts;
  return new SessionNode({
    clock,
    timers,
    random,
    logger,
    onEnded,
    name: config.node.name,
    founders,
    shards: config.store.shards,
    groups: config.session.groups,
    directory: join(config.data, "raft"),
    durability: config.store.durability,
    snapshotEvery: config.session.snapshotEvery,
    keepTail: KEEP_TAIL,
    transport,
    tick: RAFT_TICK,
    lease: config.cluster.lease,
    absence: config.cluster.absence,
    expectedStores: config.cluster.stores,
    store,
  });
}
