/**
 * What the protocol's cases are run against: the standalone broker, or a cluster of which each client
 * takes the next gateway, so that publisher and subscriber are on different ones. Which of them the
 * vitest project says.
 */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, startCluster } from "@canopy/cluster-launcher";
import {
  Broker,
  type BrokerOptions,
  Scope,
  startBroker,
  testScope,
  waitFor,
} from "@canopy/testkit";
import { afterAll, beforeAll, inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    readonly target?: "cluster";
  }
}

export interface Target {
  /** Where the next client connects. */
  readonly tcp: { readonly host: string; readonly port: number };
  readonly ws: { readonly url: string };
  /** For clients that take a URL. */
  readonly url: string;
  /** Everything stops and starts again, with the same data and ports. */
  restart(): Promise<void>;
  /** Settles when it has been logged. */
  logged(msg: RegExp): Promise<unknown>;
}

type TargetOptions = Pick<BrokerOptions, "set" | "timeout">;

const isCluster = inject("target") === "cluster";

/** For `test.skipIf`: a case of which a cluster has nothing of its own to show, as `_reason` says. */
export function inCluster(_reason: string): boolean {
  return isCluster;
}

/** One for all tests of a file, which therefore use names of their own: see `fresh`. */
export function sharedTarget(options: TargetOptions = {}): Target {
  const scope = new Scope();
  const folder = mkdtempSync(join(tmpdir(), "canopy-test-"));
  scope.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  afterAll(() => scope.close());
  if (!isCluster) {
    const broker = new Broker(join(folder, "data"), options, scope);
    beforeAll(() => broker.start());
    return broker;
  }
  const target = new ClusterTarget(folder, options, { gateways: 2, sessions: 3, stores: 2 });
  scope.defer(() => target.stop());
  beforeAll(() => target.start());
  return target;
}

/** One with settings of its own, for the running test. */
export async function startTarget(options: TargetOptions = {}): Promise<Target> {
  if (!isCluster) return startBroker(options);
  const scope = testScope();
  const folder = mkdtempSync(join(tmpdir(), "canopy-test-"));
  scope.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const target = new ClusterTarget(folder, options, { gateways: 2, sessions: 1, stores: 1 });
  scope.defer(() => target.stop());
  await target.start();
  return target;
}

interface Size {
  readonly gateways: number;
  readonly sessions: number;
  readonly stores: number;
}

/** None of the protocol's cases is about who counts as dead: a busy machine must not make one of them. */
const PATIENT = { lease: "15s", absence: "15s" };

class ClusterTarget implements Target {
  readonly #folder: string;
  readonly #options: TargetOptions;
  readonly #size: Size;
  readonly #log: string[] = [];
  #cluster: Cluster | undefined;
  #next = 0;

  constructor(folder: string, options: TargetOptions, size: Size) {
    this.#folder = folder;
    this.#options = options;
    this.#size = size;
  }

  get tcp() {
    const { mqtt } = this.#gateway();
    if (mqtt === undefined) throw new Error("a gateway that listens nowhere");
    return mqtt;
  }

  get ws() {
    const { ws } = this.#gateway();
    if (ws === undefined) throw new Error("a gateway that listens nowhere");
    return ws;
  }

  get url(): string {
    const { host, port } = this.tcp;
    return `mqtt://${host}:${port}`;
  }

  async start(): Promise<void> {
    const its = nested(this.#options.set ?? {});
    this.#cluster = await startCluster({
      ...this.#size,
      folder: this.#folder,
      settings: { gateway: its, session: { ...its, cluster: PATIENT }, store: its },
      onLine: (_name, line) => this.#log.push(line),
    });
  }

  async stop(): Promise<void> {
    await this.#cluster?.stop();
  }

  async restart(): Promise<void> {
    const { gateways, stores, sessions, processes } = this.#running;
    for (const part of [gateways, stores, sessions]) {
      await Promise.all(part.map((one) => one.stop()));
    }
    await Promise.all(processes.map((one) => one.start()));
  }

  logged(msg: RegExp): Promise<unknown> {
    return waitFor(() => this.#log.some((line) => msg.test(line)), { what: `the log line ${msg}` });
  }

  get #running(): Cluster {
    if (this.#cluster === undefined) throw new Error("the cluster has not been started");
    return this.#cluster;
  }

  #gateway() {
    const { gateways } = this.#running;
    return gateways[this.#next++ % gateways.length] as (typeof gateways)[number];
  }
}

/** `{ "limits.maxQos": 1 }` as `{ limits: { maxQos: 1 } }`. */
function nested(set: NonNullable<BrokerOptions["set"]>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(set)) {
    const names = key.split(".");
    const last = names.pop() as string;
    let table = root;
    for (const name of names) table = (table[name] ??= {}) as Record<string, unknown>;
    table[last] = value;
  }
  return root;
}
