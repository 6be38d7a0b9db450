/** Nodes as processes, seen from the one that starts them. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { GroupStatus, NodeName } from "../src/index.ts";
import { Caller } from "./calls.ts";
import type { OpenParams, StartParams } from "./node.ts";

export type NodeStatus = Omit<GroupStatus, "configuration">;

export class NodeProcess {
  readonly name: NodeName;
  readonly params: StartParams;
  readonly stderr: string[] = [];
  port = 0;
  /** ms from the start of the storage to that of the host. */
  recovered = 0;
  #child: ChildProcess | undefined;
  #caller: Caller | undefined;

  constructor(params: StartParams) {
    this.name = params.node;
    this.params = params;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(execArgv: readonly string[] = []): Promise<void> {
    const child = fork(join(import.meta.dirname, "node.ts"), {
      execArgv: ["--conditions=source", ...execArgv],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.stderr.push(text));
    this.#child = child;
    this.#caller = new Caller(child);
    const { port, recovered } = await this.call<{ port: number; recovered: number }>(
      "start",
      this.params,
    );
    this.port = port;
    this.recovered = recovered;
  }

  call<T>(method: string, params?: unknown): Promise<T> {
    if (this.#caller === undefined) return Promise.reject(new Error(`${this.name} does not run`));
    return this.#caller.call<T>(method, params);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Settles when the process is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = this.#caller = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  /** In order. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = once(child, "exit");
    await this.call("stop").catch(() => {});
    await gone;
    this.#child = this.#caller = undefined;
  }
}

export type NodesOptions = Omit<StartParams, "node" | "directory">;

/** Three nodes that know each other. */
export class Nodes {
  readonly all: readonly NodeProcess[];

  constructor(directory: string, options: NodesOptions, size = 3) {
    this.all = Array.from({ length: size }, (_, i) => {
      const node = `n${i + 1}`;
      return new NodeProcess({ ...options, node, directory: join(directory, node) });
    });
  }

  async start(execArgv: readonly string[] = []): Promise<void> {
    await Promise.all(this.all.map((node) => node.start(execArgv)));
    await this.introduce();
  }

  /** After each start of one of them. */
  async introduce(): Promise<void> {
    const running = this.all.filter((node) => node.running);
    const ports = running.map(({ name, port }) => [name, port]);
    await Promise.all(running.map((node) => node.call("peers", ports)));
  }

  /** Groups 0 to count - 1, replica i on node i. */
  async open(count: number, nodes: readonly NodeProcess[] = this.all): Promise<void> {
    const voters = this.all.map(({ name }, i) => [i + 1, name] as const);
    await Promise.all(
      nodes.map((node) => {
        const replica = this.all.indexOf(node) + 1;
        const groups = Array.from({ length: count }, (_, group) => ({ group, replica, voters }));
        return node.call("open", groups satisfies OpenParams[]);
      }),
    );
  }

  /** The running one that says so in the latest term; undefined while there is none. */
  async leader(group: number): Promise<NodeProcess | undefined> {
    let best: { node: NodeProcess; term: number } | undefined;
    for (const node of this.all) {
      const status = await node.call<NodeStatus>("status", group).catch(() => undefined);
      if (status?.role !== "leader" || status.term < (best?.term ?? 0)) continue;
      best = { node, term: status.term };
    }
    return best?.node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((node) => node.stop()));
  }

  async kill(): Promise<void> {
    await Promise.all(this.all.map((node) => node.kill()));
  }
}
