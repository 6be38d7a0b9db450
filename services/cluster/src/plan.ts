/** Which processes a cluster consists of, and what each is told. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterRole, ProcessPlan } from "./cluster-process.ts";
import { freePorts } from "./ports.ts";

const HOST = "127.0.0.1";

/** Settings by section and key, as a configuration file has them. */
export interface Settings {
  readonly [key: string]: unknown;
}

export interface PlanOptions {
  readonly gateways: number;
  readonly sessions: number;
  readonly stores: number;
  readonly backend: "leveldb";
  /** For the configuration and data of all. */
  readonly folder: string;
  readonly settings: Partial<Readonly<Record<ClusterRole, Settings>>>;
  readonly env: Readonly<Record<string, string>>;
  readonly through?: Through;
  /** Where all gateways listen together, as settings say it; without it each at ports of its own. */
  readonly listen?: readonly string[] | undefined;
  /** A folder for sockets at which the processes reach each other, instead of ports. */
  readonly sockets?: string | undefined;
}

/** Where others reach the process that listens at this address: a proxy of a test. */
export type Through = (name: string, address: string) => Promise<string>;

/** Chooses ports and writes the configuration of each process: session nodes, store processes, gateways. */
export async function planCluster(options: PlanOptions): Promise<ProcessPlan[]> {
  const { gateways, sessions, stores, backend, settings, sockets } = options;
  const ports = await freePorts(sessions + stores + 2 * gateways);
  const port = (): number => ports.shift() as number;
  const through: Through = options.through ?? (async (_name, address) => address);
  const place = async (name: string) => {
    const listen = sockets === undefined ? `${HOST}:${port()}` : `unix:${join(sockets, name)}`;
    return { name, listen, address: await through(name, listen) };
  };
  const nodes = await Promise.all(named("session", sessions).map(place));
  const cluster = { nodes: nodes.map(({ name, address }) => `${name}=${address}`) };
  const session = nodes.map(({ name, listen, address }) => {
    const its = { rpc: { listen, advertise: address }, cluster: { ...cluster, stores } };
    return write(options, "session", { name, address }, merge(its, settings.session));
  });
  const places = await Promise.all(named("store", stores).map(place));
  const store = places.map(({ name, listen, address }) => {
    const its = { rpc: { listen, advertise: address }, cluster, store: { backend } };
    return write(options, "store", { name, address }, merge(its, settings.store));
  });
  const gateway = named("gateway", gateways).map((name) => {
    const mqtt = { host: HOST, port: port() };
    const ws = { url: `ws://${HOST}:${port()}/mqtt` };
    const own = { listen: [`tcp://${HOST}:${mqtt.port}`, ws.url], cluster };
    const shared = { listen: options.listen, reusePort: true, cluster };
    const its = options.listen === undefined ? own : shared;
    return write(options, "gateway", { name, mqtt, ws }, merge(its, settings.gateway));
  });
  return Promise.all([...session, ...store, ...gateway]);
}

type Places = Pick<ProcessPlan, "name"> & Partial<Pick<ProcessPlan, "address" | "mqtt" | "ws">>;

async function write(
  { folder, env }: PlanOptions,
  role: ClusterRole,
  { name, address, mqtt, ws }: Places,
  settings: Settings,
): Promise<ProcessPlan> {
  await mkdir(folder, { recursive: true });
  const config = join(folder, `${name}.json`);
  const data = role === "gateway" ? undefined : join(folder, name);
  const own = { node: { name }, log: { format: "json" }, ...(data !== undefined && { data }) };
  await writeFile(config, JSON.stringify(merge(own, settings), undefined, 2));
  return { name, role, config, address, mqtt, ws, data, env };
}

function named(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${kind}-${i + 1}`);
}

/** `over` counts where both say something. */
function merge(under: Settings, over: Settings = {}): Settings {
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isTable(before) && isTable(value) ? merge(before, value) : value;
  }
  return merged;
}

function isTable(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
