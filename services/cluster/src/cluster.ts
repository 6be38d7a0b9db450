/** A cluster of real processes on this machine. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Deferred } from "@canopy/base";
import { ClusterProcess, type ClusterRole } from "./cluster-process.ts";
import { planCluster, type Settings, type Through } from "./plan.ts";
import { Restarter } from "./restarter.ts";

export interface ClusterOptions {
  /** How many of each; default 2, 3 and 2. */
  readonly gateways?: number;
  readonly sessions?: number;
  readonly stores?: number;
  readonly backend?: "leveldb";
  /** For what is kept; without it a temporary one, removed by stop(). */
  readonly folder?: string;
  /** By kind of process, over what is given here; as in a configuration file. */
  readonly settings?: Partial<Readonly<Record<ClusterRole, Settings>>>;
  /** Whether a process that dies is started again. */
  readonly restart?: boolean;
  /** Environment of all processes, beside this one's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Puts something in front of a process that others call, and says where. */
  readonly through?: Through;
  /** Where all gateways listen together, as settings say it, with a port; else each has ports of its own. */
  readonly listen?: readonly string[];
  /** A folder for sockets at which the processes reach each other; else ports of the loopback address. */
  readonly sockets?: string;
  /** A process has been started again. */
  readonly onRestarted?: () => void;
  /** Gives up starting: what has been started is stopped. */
  readonly signal?: AbortSignal;
  /** Each line that a process says. */
  readonly onLine?: (name: string, line: string) => void;
}

export interface Cluster {
  /** Session nodes, store processes, gateways. */
  readonly processes: readonly ClusterProcess[];
  readonly gateways: readonly ClusterProcess[];
  readonly sessions: readonly ClusterProcess[];
  readonly stores: readonly ClusterProcess[];
  /** Of configuration and data. */
  readonly folder: string;
  /** Clients first: gateways give their sessions back before those who keep them go. */
  stop(): Promise<void>;
}

/** Settles when all processes are ready; rejects, with nothing left behind, where one can't be. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { onLine = () => {}, restart = false } = options;
  const { gateways = 2, sessions = 3, stores = 2, backend = "leveldb" } = options;
  const isTemporary = options.folder === undefined;
  const folder = resolve(options.folder ?? (await mkdtemp(join(tmpdir(), "canopy-cluster-"))));
  const remove = async (): Promise<void> => {
    if (isTemporary) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const { settings = {}, env = {}, through, listen, sockets } = options;
  const counts = { gateways, sessions, stores };
  const plans = await planCluster({
    ...counts,
    backend,
    folder,
    settings,
    env,
    listen,
    sockets,
    ...(through && { through }),
  });
  const processes = plans.map((plan) => new ClusterProcess(plan, onLine));
  const cluster = new LocalCluster(processes, folder, remove, options.onRestarted);
  try {
    await unlessAborted(Promise.all(processes.map((one) => one.start())), options.signal);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  if (restart) cluster.restarter.watch(processes);
  return cluster;
}

async function unlessAborted(
  what: Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal === undefined) {
    await what;
    return;
  }
  const aborted = new Deferred();
  const abort = (): void => aborted.reject(new Error("the start was given up"));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    await Promise.race([what, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

class LocalCluster implements Cluster {
  readonly processes: readonly ClusterProcess[];
  readonly folder: string;
  readonly restarter: Restarter;
  readonly #remove: () => Promise<void>;

  constructor(
    processes: readonly ClusterProcess[],
    folder: string,
    remove: () => Promise<void>,
    onRestarted: () => void = () => {},
  ) {
    this.restarter = new Restarter(onRestarted);
    this.processes = processes;
    this.folder = folder;
    this.#remove = remove;
  }

  get gateways(): readonly ClusterProcess[] {
    return this.#of("gateway");
  }

  get sessions(): readonly ClusterProcess[] {
    return this.#of("session");
  }

  get stores(): readonly ClusterProcess[] {
    return this.#of("store");
  }

  async stop(): Promise<void> {
    this.restarter.stop();
    for (const part of [this.gateways, this.stores, this.sessions]) {
      await Promise.all(part.map((one) => one.stop()));
    }
    await this.#remove();
  }

  #of(role: ClusterRole): readonly ClusterProcess[] {
    return this.processes.filter((one) => one.role === role);
  }
}
