/** Session nodes as processes, and what is asked of them. */
import { join } from "node:path";
import { silentLogger, systemClock, systemRandom, systemTimers } from "@canopy/base";
import { ClusterSessions, ControlClient, ViewFollower } from "@canopy/cluster";
import type { ControlError, ReadonlyView } from "@canopy/control";
import { controlOver, NodeSessions, RpcChannel, type RpcTls } from "@canopy/rpc";
import { type Scope, tempDir, testScope, waitFor } from "@canopy/testkit";
import { ServiceProcess, type Settings } from "./service-process.ts";

export const GROUPS = 2;
const CONTROL = 0;
const NAMES: readonly string[] = ["n1", "n2", "n3"];
const around = { clock: systemClock, timers: systemTimers, random: systemRandom };

export interface NodesOptions {
  /** Of the nodes. */
  readonly settings?: Settings;
  /** Of all processes. */
  readonly common?: Settings;
  /** By name; sockets in the folder without it. */
  readonly addresses?: Readonly<Record<string, string>>;
  /** Of who asks. */
  readonly tls?: RpcTls;
}

export class Nodes {
  readonly names: readonly string[] = NAMES;
  /** Of the processes: their data, and sockets. */
  readonly folder: string;
  readonly control: ControlClient;
  readonly #scope: Scope;
  readonly #options: NodesOptions;
  readonly #processes: ReadonlyMap<string, ServiceProcess>;
  readonly #channels = new Map<string, RpcChannel>();

  private constructor(folder: string, options: NodesOptions, scope: Scope) {
    this.folder = folder;
    this.#options = options;
    this.#scope = scope;
    this.#processes = new Map(NAMES.map((name) => [name, this.#process(name)]));
    this.control = new ControlClient({
      ...around,
      nodes: () => NAMES,
      connect: (name) => controlOver(this.channel(name)),
    });
    scope.defer(() => this.control.close());
  }

  static async make(options: NodesOptions = {}, scope: Scope = testScope()): Promise<Nodes> {
    return new Nodes(await tempDir(scope), options, scope);
  }

  /** All of them, ready. */
  static async started(options: NodesOptions = {}): Promise<Nodes> {
    const nodes = await Nodes.make(options);
    for (const name of NAMES) nodes.of(name).start();
    await nodes.ready();
    return nodes;
  }

  async ready(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.ready()));
  }

  of(name: string): ServiceProcess {
    return this.#processes.get(name) as ServiceProcess;
  }

  address(name: string): string {
    return this.#options.addresses?.[name] ?? `unix:${join(this.folder, `${name}.sock`)}`;
  }

  /** Settings of any process of their cluster. */
  get common(): Settings {
    const list = NAMES.map((name) => `${name}=${this.address(name)}`).join(",");
    return { "cluster.nodes": list, ...this.#options.common };
  }

  channel(name: string): RpcChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const { tls } = this.#options;
      const address = this.address(name);
      const backoff = { first: 10, longest: 50 };
      channel = new RpcChannel({ address, tls, backoff, logger: silentLogger });
      this.#channels.set(name, channel);
      this.#scope.defer(channel.stop.bind(channel));
      void channel.start();
    }
    return channel;
  }

  /** What the cluster knows of itself, as one of the nodes tells it. */
  async view(): Promise<ReadonlyView> {
    const follower = new ViewFollower({ ...around, control: this.control });
    this.#scope.defer(() => follower.stop());
    follower.start();
    await follower.reached(1);
    return follower.view;
  }

  /** As a gateway asks. */
  sessions(): ClusterSessions {
    const made = new Map<string, NodeSessions>();
    const sessions = new ClusterSessions({
      ...around,
      logger: silentLogger,
      nodes: () => NAMES,
      groups: () => GROUPS,
      connect: (name, group) => {
        const node = made.get(name) ?? new NodeSessions(this.channel(name), { deadline: 2_000 });
        made.set(name, node);
        return node.group(group);
      },
    });
    this.#scope.defer(() => sessions.close());
    return sessions;
  }

  /** Who leads the group, 0 for the control group; not one of `but`. */
  async leader(group: number, but: readonly string[] = []): Promise<string> {
    const asked = NAMES.filter((name) => !but.includes(name));
    const what = (): string =>
      `a leader of group ${group}; ${asked.map((name) => this.of(name).output).join("\n")}`;
    return waitFor(
      async () => {
        const answers = await Promise.all(asked.map((name) => this.#leads(name, group)));
        return asked.find((_, i) => answers[i]);
      },
      { what },
    );
  }

  /** How long it took until all groups were led by others than that one, ms. */
  async takenOver(from: string): Promise<number> {
    const since = performance.now();
    const groups = Array.from({ length: GROUPS + 1 }, (_, group) => group);
    await Promise.all(groups.map((group) => this.leader(group, [from])));
    return performance.now() - since;
  }

  async #leads(name: string, group: number): Promise<boolean> {
    const channel = this.channel(name);
    if (group === CONTROL) {
      const control = controlOver(channel, { renewDeadline: 300 });
      // Nobody's: who leads says that this life has ended.
      const answer = control.renew({ incarnation: 0, acknowledged: 0 });
      return answer.then(
        () => false,
        (error: ControlError) => error.code === "ended",
      );
    }
    const answer = new NodeSessions(channel, { deadline: 300 }).group(group).counts();
    return answer.then(
      () => true,
      () => false,
    );
  }

  #process(name: string): ServiceProcess {
    const data = join(this.folder, name);
    const own = { "rpc.listen": this.address(name), "session.groups": GROUPS };
    const settings = { ...own, ...this.common, ...this.#options.settings };
    return new ServiceProcess({ role: "session", name, data, settings }, this.#scope);
  }
}
