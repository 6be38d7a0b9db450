/** Several gateways that share the connections, and what they need, as processes of this machine. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deferred, type Logger } from "@canopy/base";
import { type Cluster, freePorts, startCluster } from "@canopy/cluster-launcher";
import { type Config, settingsFor } from "@canopy/config";
import { type Process, prepareDataFolder } from "@canopy/main";
import { banner } from "./banner.ts";

/** Its processes are started again where they die; their logs are this one's. */
export function composeWorkers(config: Config, logger: Logger): Process {
  const stopping = new AbortController();
  let cluster: Cluster | undefined;
  let sockets: string | undefined;
  let listen: string[] = [];
  return {
    failed: new Deferred<string>().promise,
    get ready() {
      const { data, workers } = config;
      return { message: banner(listen), data, workers };
    },
    async start(): Promise<void> {
      const fixed = { "store.shards": config.store.shards };
      await prepareDataFolder(config.data, { role: "workers", fixed });
      listen = await addressesOf(config);
      // a path of the data folder may be longer than one of a socket can be
      sockets = await mkdtemp(join(tmpdir(), "canopy-"));
      cluster = await startCluster({
        gateways: config.workers,
        sessions: 1,
        stores: 1,
        folder: config.data,
        listen,
        sockets,
        restart: true,
        settings: settingsOf(config, listen),
        signal: stopping.signal,
        onLine: (name, line) => relay(logger, name, line),
      });
    },
    async stop(): Promise<void> {
      stopping.abort();
      await cluster?.stop();
      if (sockets !== undefined) await rm(sockets, { recursive: true, force: true });
    },
  };
}

function settingsOf(config: Config, listen: readonly string[]) {
  // that they are ready is told at "info"; what is wanted here is the logger's to know
  const { level } = config.log;
  const log = { level: level === "trace" || level === "debug" ? level : "info", format: "json" };
  const of = (role: "gateway" | "session" | "store"): Record<string, unknown> => {
    const { data: _, ...settings } = settingsFor(config, role);
    return { ...settings, log };
  };
  return { gateway: { ...of("gateway"), listen }, session: of("session"), store: of("store") };
}

/** All of them listen at the same port, so it is chosen here where the system is to choose. */
async function addressesOf({ listen }: Config): Promise<string[]> {
  const ports = await freePorts(listen.filter(({ port }) => port === 0).length);
  return listen.map(({ scheme, host, port, path }) => {
    const shown = host.includes(":") ? `[${host}]` : host;
    return `${scheme}://${shown}:${port === 0 ? ports.shift() : port}${path}`;
  });
}

type Level = "debug" | "info" | "warn" | "error";

const LEVELS: Readonly<Record<string, Level>> = {
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
};

function relay(logger: Logger, name: string, line: string): void {
  let said: Record<string, unknown> = { level: "error", msg: line };
  try {
    said = JSON.parse(line) as Record<string, unknown>;
  } catch {
    // not of its log: of Node, perhaps, why it has ended
  }
  const { level, msg, time: _, ...fields } = said;
  logger[LEVELS[String(level)] ?? "debug"]({ ...fields, process: name }, String(msg));
}
