import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { allowAll, authentication } from "@canopy/auth";
import {
  Deferred,
  type Logger,
  Stack,
  systemClock,
  systemRandom,
  systemTimers,
} from "@canopy/base";
import type { Config } from "@canopy/config";
import { connectionSettings, Gateway, gatewayLimits } from "@canopy/gateway";
import { DataFolderError, type Process, prepareDataFolder } from "@canopy/main";
import { aloneTransport } from "@canopy/raft";
import { SessionNode } from "@canopy/session-service";
import type { Store } from "@canopy/store";
import { openLevelStore } from "@canopy/store-leveldb";
import { createStoreService, type StoreService } from "@canopy/store-service";
import { TopicTable } from "@canopy/topic";
import { banner } from "./banner.ts";
import { Members } from "./members.ts";

/**
 * Gateway, session service and store service joined by function calls, over LevelDB. They start from
 * the disk upwards, so that nothing is accepted before it can be kept, and stop the other way round.
 */
export function compose(config: Config, logger: Logger, version: string): Process {
  const stack = new Stack();
  const failed = new Deferred<string>();
  const onFailed = (reason: string) => failed.resolve(reason);
  let gateway: Gateway | undefined;
  return {
    failed: failed.promise,
    get ready() {
      return { message: banner(gateway?.listeners.addresses ?? []), data: config.data };
    },
    async start(): Promise<void> {
      const { data } = config;
      const fixed = { "store.shards": config.store.shards };
      const disk = await prepareDataFolder(data, { role: "standalone", fixed });
      const store = await openStore(config, logger);
      await requireLog(config, store);
      stack.add({ start: async () => {}, stop: () => store.close() });
      gateway = assemble(config, { logger, version, disk, store, stack, onFailed });
      await stack.start();
    },
    stop: () => stack.stop(),
  };
}

/** Of the data folder. */
const RAFT = "raft";

/** The log says who had which shard last: nothing can be stored behind what is there without it. */
async function requireLog({ data, store: { shards } }: Config, store: Store): Promise<void> {
  const folder = join(data, RAFT);
  const files = await readdir(folder).catch(() => []);
  if (files.length > 0) return;
  for (let shard = 0; shard < shards; shard++) {
    if ((await store.epoch(shard)) === 0) continue;
    throw new DataFolderError(
      `${folder} is missing or empty, though the messages that belong to it are there: bring it back, or ` +
        "use another data folder",
    );
  }
}

/** The only node, and the only voter of its groups. */
const NODE = "standalone";
/** ms. With one voter nobody is waited for: it says how long a command waits for a disk that fails. */
const RAFT_TICK = 100;

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
  readonly disk: string;
  readonly store: Store;
  readonly stack: Stack;
  readonly onFailed: (reason: string) => void;
}

function assemble(config: Config, parts: Assembling): Gateway {
  const { logger, version, disk, stack } = parts;
  const topics = new TopicTable(config.store.shards);
  const common = { clock: systemClock, timers: systemTimers, random: systemRandom, logger };
  const node = sessionNode(config, parts, () => storeService);
  const [sessionService] = node.groups;
  if (sessionService === undefined) throw new Error("there is no group of sessions");
  const members = new Members({ ...common, node: NODE, control: node.control, disk });
  const storeService = createStoreService({
    ...common,
    store: parts.store,
    shards: config.store.shards,
    queries: () => [sessionService.queries],
    ownership: members.ownership,
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
    waitTimeout: config.store.waitTimeout,
  });
  const authenticator = authentication(config.auth, common);
  const gateway = new Gateway({
    ...common,
    listen: config.listen,
    settings: connectionSettings(config),
    limits: gatewayLimits(config),
    sysInterval: config.sys.interval,
    version,
    incarnation: () => members.gateway,
    sessions: sessionService.sessions,
    shards: storeService.shards,
    authenticator,
    authorizer: allowAll,
    topics,
  });
  // sessions are recovered before the store service, which asks them for their routes
  stack.add(node.raft);
  stack.add(node.control);
  stack.add(members);
  stack.add(node.sessions);
  stack.add(storeService);
  stack.add(authenticator);
  stack.add(gateway);
  stack.add(members.knowing(storeService.shards));
  return gateway;
}

function sessionNode(
  { data, store, session }: Config,
  { logger, onFailed }: Assembling,
  storeService: () => StoreService,
): SessionNode {
  return new SessionNode({
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    logger,
    name: NODE,
    founders: [NODE],
    shards: store.shards,
    groups: 1,
    directory: join(data, RAFT),
    durability: store.durability,
    snapshotEvery: session.snapshotEvery,
    // Nobody is behind.
    keepTail: 0,
    transport: aloneTransport,
    tick: RAFT_TICK,
    // Who is in this process lives as long as it does.
    lease: 0,
    absence: 0,
    expectedStores: 1,
    store: () => storeService().routeSink,
    onEnded: onFailed,
  });
}
