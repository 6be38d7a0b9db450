/** Three nodes as processes, and channels to them. */
import { join } from "node:path";
import { silentLogger } from "@canopy/base";
import type { NodeName } from "@canopy/raft";
import { Child, type Scope, testScope, waitFor } from "@canopy/testkit";
import { RpcChannel } from "../../src/index.ts";
import { Echo } from "../echo.ts";
import type { NodeParams } from "./node.ts";
import type { Request } from "./requests.ts";

const NAMES: readonly NodeName[] = ["n1", "n2", "n3"];

export class Nodes {
  readonly names: readonly NodeName[] = NAMES;
  readonly #directory: string;
  readonly #addresses: Record<NodeName, string>;
  readonly #scope: Scope;
  readonly #running = new Map<NodeName, Child>();
  readonly #channels = new Map<NodeName, RpcChannel>();

  /** `directory` is short: their sockets are in it. */
  constructor(directory: string, scope: Scope = testScope()) {
    this.#directory = directory;
    this.#scope = scope;
    this.#addresses = Object.fromEntries(
      NAMES.map((name) => [name, `unix:${join(directory, `${name}.sock`)}`]),
    );
    for (const name of NAMES) this.#channels.set(name, this.#channel(name));
  }

  #channel(name: NodeName): RpcChannel {
    const address = this.#addresses[name] as string;
    const backoff = { first: 20, longest: 100 };
    const channel = new RpcChannel({ address, backoff, logger: silentLogger });
    this.#scope.defer(() => channel.stop());
    return channel;
  }

  async start(names: readonly NodeName[] = NAMES): Promise<void> {
    for (const node of names) {
      const directory = this.#directory;
      const params: NodeParams = { node, addresses: this.#addresses, directory };
      const file = join(import.meta.dirname, "node.ts");
      const args = ["--conditions=source", file, JSON.stringify(params)];
      this.#running.set(node, new Child({ command: process.execPath, args }, this.#scope));
      await this.#channels.get(node)?.start();
    }
  }

  signal(name: NodeName, signal: NodeJS.Signals): void {
    this.#running.get(name)?.signal(signal);
  }

  async kill(name: NodeName): Promise<void> {
    await this.#running.get(name)?.kill("SIGKILL");
  }

  /** Throws what the node answers with, or what became of the call. */
  async ask<T>(name: NodeName, request: Request, deadline = 1_500): Promise<T> {
    const channel = this.#channels.get(name) as RpcChannel;
    const { text } = await channel.call(
      Echo.method.say,
      { text: JSON.stringify(request) },
      { deadline },
    );
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** Who says that it leads, in the latest term, when one does; not one of `but`. */
  async leader(but: readonly NodeName[] = []): Promise<NodeName> {
    let leader: NodeName | undefined;
    let latest = 0;
    await waitFor(
      async () => {
        for (const name of NAMES.filter((one) => !but.includes(one))) {
          const asked = this.ask<{ role: string; term: number }>(name, { kind: "status" }, 300);
          const status = await asked.catch(() => undefined);
          if (status?.role !== "leader" || status.term < latest) continue;
          leader = name;
          latest = status.term;
        }
        return leader !== undefined;
      },
      { what: () => `a leader; ${this.#complaints()}` },
    );
    return leader as NodeName;
  }

  #complaints(): string {
    return [...this.#running]
      .map(([name, { stderr }]) => `${name}: ${stderr.join("; ")}`)
      .join("\n");
  }
}
