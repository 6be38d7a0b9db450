/** A gateway of a cluster as a process: what it is made of, and how it reaches the others. */
import { type Authenticator, allowAll, authentication } from "@canopy/auth";
import {
  Deferred,
  type Logger,
  Stack,
  systemClock,
  systemRandom,
  systemTimers,
  type Timer,
} from "@canopy/base";
import { ClusterSessions, ClusterShards } from "@canopy/cluster";
import type { Config } from "@canopy/config";
import type { ReadonlyView } from "@canopy/control";
import type { Process } from "@canopy/main";
import {
  Channels,
  type Life,
  Lives,
  Membership,
  once,
  RemoteStores,
  readTls,
  SessionNodes,
  sayWaiting,
} from "@canopy/main/cluster";
import { NodeSessions, type RpcTls } from "@canopy/rpc";
import { SessionError } from "@canopy/session";
import { TopicTable } from "@canopy/topic";
import { Gateway } from "./gateway.ts";
import type { ListenOptions } from "./options.ts";
import { whyBannedBy } from "./process/bans.ts";
import { enforceBans } from "./session/open.ts";
import { connectionSettings, gatewayLimits } from "./settings.ts";

/** Bytes of messages without an answer, per shard: a second of what one gateway brings at its most. */
const MAX_UNANSWERED: number = 64 << 20;
/** How long a call looks for the owner of a shard, ms; a read gives its client's room back sooner. */
const CALL_TIMEOUT = 10_000;
const READ_TIMEOUT = 1_000;
/** How long clients are kept without an answer where nobody renews the lease, ms. */
const GRACE = 10_000;

const around = { clock: systemClock, timers: systemTimers, random: systemRandom };

export function compose(config: Config, logger: Logger, version: string): Process {
  const tls = readTls(config);
  const authenticator = authentication(config.auth, { ...around, logger });
  let life: GatewayLife | undefined;
  const view = (): ReadonlyView | undefined => life?.membership.view;
  const nodes = new SessionNodes({ cluster: config.cluster, view, timers: systemTimers, logger });
  const lives = new Lives(() => {
    // each life listens where the first one did, also where the system chose the port
    const { reusePort } = config;
    const listen = life?.listening ?? config.listen.map((one) => ({ ...one, reusePort }));
    const after = life?.membership.incarnation;
    life = new GatewayLife({ config, listen, after, nodes, tls, authenticator, logger, version });
    return life;
  }, logger);
  const stack = new Stack();
  stack.add(nodes);
  stack.add(authenticator);
  stack.add(lives);
  return {
    failed: lives.failed,
    get ready() {
      const { name } = config.node;
      const listeners = life?.listeners ?? [];
      return { message: `gateway ${name} is ready: ${listeners.join(", ")}`, name, listeners };
    },
    start: () => stack.start(),
    stop: () => stack.stop(),
  };
}

interface Parts {
  readonly config: Config;
  readonly listen: readonly ListenOptions[];
  /** The life before, if there was one. */
  readonly after: number | undefined;
  readonly nodes: SessionNodes;
  readonly tls: RpcTls | undefined;
  readonly authenticator: Authenticator;
  readonly logger: Logger;
  readonly version: string;
}

/** From its joining the cluster to the end of its lease. */
class GatewayLife implements Life {
  readonly membership: Membership;
  readonly over: Promise<string>;
  readonly #parts: Parts;
  readonly #over = new Deferred<string>();
  /** To the session nodes; what is joined and renewed has connections of its own. */
  readonly #channels: Channels;
  #stores: RemoteStores | undefined;
  #sessions: ClusterSessions | undefined;
  #shards: ClusterShards | undefined;
  #gateway: Gateway | undefined;
  #grace: Timer | undefined;
  #isEnded = false;

  constructor(parts: Parts) {
    const { config, after, nodes, tls, logger } = parts;
    this.#parts = parts;
    this.over = this.#over.promise;
    this.#channels = new Channels({ address: (node) => nodes.address(node), tls, logger });
    const { name } = config.node;
    const member = { kind: "gateway", name, address: "", disk: "", after } as const;
    const cluster = { nodes, tls, logger };
    this.membership = new Membership({
      ...member,
      ...cluster,
      expired: () => this.#expired(),
      renewed: () => this.#renewed(),
    });
    void this.membership.over.then((reason) => this.#over.resolve(reason));
  }

  /** Where clients connect, once it listens. */
  get listeners(): readonly string[] {
    return this.#gateway?.listeners.addresses ?? [];
  }

  /** The same, to listen there again; undefined before. */
  get listening(): readonly ListenOptions[] | undefined {
    const { listeners } = this;
    const { listen } = this.#parts;
    if (listeners.length < listen.length) return undefined;
    return listen.map((one, i) => ({ ...one, port: portOf(listeners[i] as string) || one.port }));
  }

  /** Clients are let in when it is a member, the groups of sessions know it, and shards have been given out. */
  async start(): Promise<void> {
    const { membership } = this;
    await membership.start();
    if (this.#isEnded) return;
    const gateway = this.#assemble();
    // what it obeys it obeys within the call that tells it
    membership.view.listen((changes, version) => {
      if (changes.some(({ change }) => change.type === "banned")) enforceBans(gateway);
      membership.acknowledge(version);
    });
    membership.acknowledge(membership.view.version);
    await this.#stores?.start();
    await this.#waiting(this.#placed(), () => "store processes: no shard has been given to one");
    await this.#waiting(this.#open(gateway), () => "leaders of all groups of sessions");
  }

  async stop(): Promise<void> {
    await this.#gateway?.stop();
    await this.membership.leave();
    await this.#end();
  }

  async abandon(): Promise<void> {
    this.#sessions?.close();
    await this.#gateway?.abandon();
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#isEnded = true;
    this.#grace?.cancel();
    this.#sessions?.close();
    this.#shards?.close();
    await this.#stores?.stop();
    await this.#channels.stop();
    await this.membership.stop();
  }

  /** As the view says now: what follows from it is fixed when the cluster is created. */
  #assemble(): Gateway {
    const { config, listen, nodes, tls, authenticator, logger, version } = this.#parts;
    const { membership } = this;
    const { view } = membership;
    const incarnation = (): number => membership.incarnation;
    const sessionsOf = once((node: string) => new NodeSessions(this.#channels.get(node)));
    const topics = new TopicTable(view.shards);
    const stores = new RemoteStores({ view, topics: () => topics, tls, logger });
    const common = { ...around, logger };
    const sessions = new ClusterSessions({
      ...common,
      nodes: () => nodes.names(),
      groups: () => view.groups,
      connect: (node, group) => sessionsOf(node).group(group),
    });
    const shards = new ClusterShards({
      ...common,
      view,
      nodes: stores,
      waitTimeout: config.store.waitTimeout,
      maxUnansweredBytes: MAX_UNANSWERED,
      callTimeout: CALL_TIMEOUT,
      readTimeout: READ_TIMEOUT,
    });
    this.#stores = stores;
    this.#sessions = sessions;
    this.#shards = shards;
    const ports = { sessions, shards, topics, authenticator, authorizer: allowAll };
    this.#gateway = new Gateway({
      ...common,
      ...ports,
      version,
      listen,
      incarnation,
      settings: connectionSettings(config),
      limits: gatewayLimits(config),
      sysInterval: config.sys.interval,
      mayAnswer: membership.valid,
      whyBanned: whyBannedBy(view, systemClock),
    });
    return this.#gateway;
  }

  /** Settles when every shard has had an owner: in a new cluster that comes after the gateways. */
  async #placed(): Promise<void> {
    const { view } = this.membership;
    const isPlaced = (): boolean => view.places().every(({ epoch }) => epoch > 0);
    if (isPlaced()) return;
    await new Promise<void>((resolve) => {
      const unlisten = view.listen(() => {
        if (!isPlaced()) return;
        unlisten();
        resolve();
      });
    });
  }

  async #open(gateway: Gateway): Promise<void> {
    try {
      await gateway.start();
    } catch (error) {
      if (!(error instanceof SessionError && error.code === "stale")) throw error;
      this.#over.resolve(error.message);
    }
  }

  #waiting(what: Promise<void>, whom: () => string): Promise<void> {
    return sayWaiting(what, whom, { timers: systemTimers, logger: this.#parts.logger });
  }

  #expired(): void {
    this.#grace?.cancel();
    this.#grace = systemTimers.set(GRACE, () => {
      this.#over.resolve(`nobody has renewed its lease for ${GRACE} ms`);
    });
  }

  #renewed(): void {
    this.#grace?.cancel();
    this.#gateway?.answerAgain();
  }
}

/** Of an address such as `tcp://127.0.0.1:1883`; schemes that URL does not know keep their port. */
function portOf(address: string): number {
  return Number(URL.parse(address)?.port);
}
