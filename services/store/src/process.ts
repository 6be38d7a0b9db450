/** A store process: what it is made of, and how others reach it. */
import { join } from "node:path";
import { type Logger, Stack, systemClock, systemRandom, systemTimers } from "@canopy/base";
import type { Config } from "@canopy/config";
import { type Process, prepareDataFolder } from "@canopy/main";
import { Channels, Lives, readTls, SessionNodes } from "@canopy/main/cluster";
import type { Store } from "@canopy/store";
import { openLevelStore } from "@canopy/store-leveldb";
import { StoreLife } from "./process/life.ts";

const around = { clock: systemClock, timers: systemTimers, random: systemRandom };

export function compose(config: Config, logger: Logger): Process {
  const { cluster } = config;
  const { name } = config.node;
  const tls = readTls(config);
  let life: StoreLife | undefined;
  let disk = "";
  let store: Store | undefined;
  const view = () => life?.view;
  const nodes = new SessionNodes({ cluster, view, timers: systemTimers, logger });
  const channels = new Channels({ address: (node) => nodes.address(node), tls, logger });
  const lives = new Lives(() => {
    if (store === undefined) throw new Error("the store is not open");
    // Each life listens where the first one did, also where the system chose the port.
    const listen = life?.listening ?? config.rpc.listen.text;
    life = new StoreLife({ ...around, config, listen, disk, store, tls, nodes, channels, logger });
    return life;
  }, logger);
  const stack = new Stack();
  stack.add(nodes);
  stack.add(channels);
  stack.add({
    start: async () => {
      disk = await prepareDataFolder(config.data, { role: "store", fixed: {} });
      store = await openStore(config, logger);
    },
    stop: async () => store?.close(),
  });
  stack.add(lives);
  return {
    failed: lives.failed,
    get ready() {
      const address = life?.address ?? "";
      return { message: `store process ${name} is ready: ${address}`, name, address };
    },
    start: () => stack.start(),
    stop: () => stack.stop(),
  };
}

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
