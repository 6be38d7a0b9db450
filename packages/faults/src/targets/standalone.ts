import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Deferred } from "@canopy/base";
import { Child } from "./child.ts";
import type { Role, Target, TargetProcess } from "./target.ts";

const main = fileURLToPath(new URL("../../../../services/standalone/src/main.ts", import.meta.url));
const SHARDS = 4;

/** The standalone broker: one process, of which clients know the gateway. */
export async function startStandalone(env: NodeJS.ProcessEnv = {}): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), "canopy-faults-"));
  const broker = new Standalone(join(folder, "data"), env);
  await broker.start();
  return {
    name: "standalone",
    processes: [broker],
    shards: SHARDS,
    groups: 1,
    lease: 0,
    output: () => broker.output,
    stop: async () => {
      await broker.end();
      await rm(folder, { recursive: true });
    },
  };
}

class Standalone implements TargetProcess {
  readonly name = "standalone";
  readonly role: Role = "gateway";
  readonly mqtt: { host: string; port: number } = { host: "127.0.0.1", port: 0 };
  readonly #data: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: Child | undefined;

  constructor(data: string, env: NodeJS.ProcessEnv) {
    this.#data = data;
    this.#env = env;
  }

  get running(): boolean {
    return this.#child?.hasEnded === false;
  }

  get ended(): Promise<void> {
    return this.#child?.ended ?? Promise.resolve();
  }

  get output(): readonly string[] {
    return this.#child?.lines ?? [];
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async start(): Promise<void> {
    const listening = new Deferred<number>();
    const { host, port } = this.mqtt;
    const args = ["--data", this.#data, "--listen", `tcp://${host}:${port}`];
    const set = ["--set", "log.format=json", "--set", `store.shards=${SHARDS}`];
    this.#child = new Child([main, ...args, ...set], this.#env, (line) => {
      const found = /"listener":"tcp:\/\/[\d.]+:(\d+)"/.exec(line)?.[1];
      if (found !== undefined) listening.resolve(Number(found));
    });
    const ended = this.#child.ended.then(() => {
      throw new Error(`the broker has ended:\n${this.output.join("\n")}`);
    });
    this.mqtt.port = await Promise.race([listening.promise, ended]);
    ended.catch(() => {}); // how it ends later is for who ends it
  }

  async end(): Promise<void> {
    if (!this.running) return;
    this.kill("SIGCONT");
    this.kill("SIGTERM");
    const late = setTimeout(() => this.kill("SIGKILL"), 20_000);
    await this.ended;
    clearTimeout(late);
  }
}
