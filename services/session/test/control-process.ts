/** What a gateway or a store process has of the control plane. */
import { seededRandom } from "@canopy/base";
import { ControlClient, LeaseKeeper, ViewFollower } from "@canopy/cluster";
import type { MemberKind } from "@canopy/control";
import { testScope } from "@canopy/testkit";
import type { ControlCluster } from "./control.ts";

export class ControlProcess {
  readonly client: ControlClient;
  readonly follower: ViewFollower;
  readonly keeper: LeaseKeeper;
  readonly told: string[] = [];
  /** Nodes to which it can't connect. */
  readonly cutOff: Set<string> = new Set();
  readonly #cluster: ControlCluster;

  /** The first node is the first that it watches. */
  constructor(
    cluster: ControlCluster,
    kind: MemberKind,
    name: string,
    seed: number,
    nodes: readonly string[] = ["a", "b", "c"],
  ) {
    const around = { clock: cluster.time, timers: cluster.time, random: seededRandom(seed) };
    this.#cluster = cluster;
    this.client = new ControlClient({
      ...around,
      nodes: () => nodes,
      connect: (node) => {
        const found = cluster.nodes.find((one) => one.name === node);
        if (found === undefined || this.cutOff.has(node)) throw new Error("connection refused");
        return found.control;
      },
    });
    this.follower = new ViewFollower({ ...around, control: this.client });
    this.keeper = new LeaseKeeper({
      ...around,
      control: this.client,
      kind,
      name,
      address: kind === "store" ? name : "",
      disk: "",
      owner: {
        expired: () => this.told.push("expired"),
        renewed: () => this.told.push("renewed"),
        ended: () => this.told.push("ended"),
        behind: () => {
          this.told.push("behind");
          this.follower.elsewhere();
        },
      },
    });
    // As fast as it can it obeys what it hears.
    this.follower.view.listen((_changes, version) => this.keeper.acknowledge(version));
    testScope().defer(() => this.die());
  }

  async start(): Promise<number> {
    this.follower.start();
    const joined = this.keeper.join();
    await this.#cluster.until(() => this.keeper.incarnation !== 0);
    await this.follower.reached(await joined);
    return joined;
  }

  get isValid(): boolean {
    return this.keeper.valid(this.#cluster.time.now());
  }

  /** As kill -9: its streams break, and it says nothing more. */
  die(): void {
    this.keeper.stop();
    this.follower.stop();
    this.client.close();
  }
}
