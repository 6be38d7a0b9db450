import { join } from "node:path";
import { allowAll, authentication } from "@canopy/auth";
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
import { Gateway } from "@canopy/gateway";
import { aloneTransport, createHost, openStorage, type RaftHost } from "@canopy/raft";
import { Alone, createSessionService } from "@canopy/session-service";
import type { Store } from "@canopy/store";
import { openLevelStore } from "@canopy/store-leveldb";
import { createStoreService } from "@canopy/store-service";
import { TopicTable } from "@canopy/topic";
import { prepareDataFolder } from "./data-folder.ts";
import { connectionSettings, gatewayLimits } from "./settings.ts";

/** The whole broker in one process. */
export interface Standalone extends Lifecycle {
  /** Where it listens, once started. */
  readonly addresses: readonly string[];
  /** Settles with the reason when it can serve nobody any more, though it was not stopped. */
  readonly failed: Promise<string>;
}

/**
 * Gateway, session service and store service joined by function calls, over LevelDB. They start from
 * the disk upwards, so that nothing is accepted before it can be kept, and stop the other way round.
 */
export function compose(config: Config, logger: Logger, version: string): Standalone {
  const stack = new Stack();
  const failed = new Deferred<string>();
  const onFailed = (reason: string) => failed.resolve(reason);
  let gateway: Gateway | undefined;
  return {
    failed: failed.promise,
    get addresses(): readonly string[] {
      return gateway?.listeners.addresses ?? [];
    },
    async start(): Promise<void> {
      await prepareDataFolder(config.data, config.store.shards);
      const store = await openStore(config, logger);
      stack.add({ start: async () => {}, stop: () => store.close() });
      gateway = assemble(config, { logger, version, store, stack, onFailed });
      await stack.start();
    },
    stop: () => stack.stop(),
  };
}

/** The only node, and the only voter of its group. */
const NODE = "standalone";
const SESSIONS = { group: 1, replica: 1 };
/** ms. With one voter nobody is waited for: it says how long a command waits for a disk that fails. */
const RAFT_TICK = 100;
const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 1;
const MAX_PROPOSALS = 100_000;
const MAX_PROPOSAL_BYTES = 256 * 1024 * 1024;

function openStore({ data, store }: Config, logger: Logger): Promise<Store> {
  return openLevelStore({
    folder: join(data, "store"),
    durability: store.durability,
    segmentBytes: store.segmentBytes,
    cacheBytes: store.cacheBytes,
    timers: systemTimers,
    clock: systemClock,
    logger,
  });
}

interface Assembling {
  readonly logger: Logger;
  readonly version: string;
  readonly store: Store;
  readonly stack: Stack;
  readonly onFailed: (reason: string) => void;
}

function assemble(config: Config, parts: Assembling): Gateway {
  const { logger, version, store, stack, onFailed } = parts;
  const clock = systemClock;
  const timers = systemTimers;
  const topics = new TopicTable(config.store.shards);
  const common = { clock, timers, logger };
  const storeService = createStoreService({
    ...common,
    store,
    shards: config.store.shards,
    queries: () => [sessionService.queries],
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
    topics,
    random: systemRandom,
    waitTimeout: config.store.waitTimeout,
  });
  const alone = new Alone(config.store.shards);
  const sessionService = createSessionService({
    ...common,
    host: addRaft(config, logger, stack),
    group: SESSIONS.group,
    bootstrap: { replica: SESSIONS.replica, voters: new Map([[SESSIONS.replica, NODE]]) },
    shards: config.store.shards,
    cluster: alone.view,
    store: () => storeService.routeSink,
    onEnded: onFailed,
  });
  const authenticator = authentication(config.auth, common);
  // sessions are recovered first: the store service asks them for their routes
  stack.add(sessionService);
  stack.add({ start: async () => alone.begin(sessionService.version), stop: async () => {} });
  stack.add(storeService);
  stack.add(authenticator);
  return stack.add(
    new Gateway({
      ...common,
      listen: config.listen,
      settings: connectionSettings(config),
      limits: gatewayLimits(config),
      sysInterval: config.sys.interval,
      version,
      incarnation: () => alone.gateway,
      sessions: sessionService.sessions,
      shards: storeService.shards,
      authenticator,
      authorizer: allowAll,
      topics,
      random: systemRandom,
    }),
  );
}

function addRaft({ data, store, session }: Config, logger: Logger, stack: Stack): RaftHost {
  const common = { timers: systemTimers, random: systemRandom, logger };
  const storage = openStorage({
    ...common,
    directory: join(data, "raft"),
    durability: store.durability,
  });
  stack.add(storage);
  return stack.add(
    createHost({
      ...common,
      node: NODE,
      storage,
      transport: aloneTransport,
      clock: systemClock,
      defer: setImmediate,
      tick: RAFT_TICK,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: HEARTBEAT_TICKS,
      maxProposals: MAX_PROPOSALS,
      maxProposalBytes: MAX_PROPOSAL_BYTES,
      snapshotEvery: session.snapshotEvery,
      // Nobody is behind.
      keepTail: 0,
    }),
  );
}
