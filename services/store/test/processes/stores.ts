/** Store processes of a cluster of session nodes. */
import { join } from "node:path";
import type { Member, ReadonlyView } from "@canopy/control";
import { type Scope, testScope, waitFor } from "@canopy/testkit";
import { Nodes, type NodesOptions } from "../../../session/test/processes/nodes.ts";
import { ServiceProcess, type Settings } from "../../../session/test/processes/service-process.ts";

export const SHARDS = 4;

export class Stores {
  readonly nodes: Nodes;
  readonly view: ReadonlyView;
  readonly #scope: Scope;

  private constructor(nodes: Nodes, view: ReadonlyView, scope: Scope) {
    this.nodes = nodes;
    this.view = view;
    this.#scope = scope;
  }

  /** Session nodes that are ready, and no store process yet. */
  static async make(options: NodesOptions = {}, scope: Scope = testScope()): Promise<Stores> {
    const settings = { "store.shards": SHARDS, ...options.settings };
    const nodes = await Nodes.started({ ...options, settings });
    return new Stores(nodes, await nodes.view(), scope);
  }

  /** One that is not started. */
  of(name: string, settings: Settings = {}): ServiceProcess {
    const { folder, common } = this.nodes;
    const own = { "rpc.listen": `unix:${join(folder, `${name}.sock`)}` };
    const all = { ...own, ...common, ...settings };
    const data = join(folder, name);
    return new ServiceProcess({ role: "store", name, data, settings: all }, this.#scope);
  }

  /** One that is not started; clients find it by its `listeners`. */
  gateway(name: string, settings: Settings = {}): ServiceProcess {
    const all = { listen: "tcp://127.0.0.1:0", ...this.nodes.common, ...settings };
    return new ServiceProcess({ role: "gateway", name, settings: all }, this.#scope);
  }

  /** The life that the cluster knows of it now, other than that one. */
  member(name: string, but?: number): Promise<Member> {
    const isMeant = (one: Member): boolean => one.name === name && one.incarnation !== but;
    return waitFor(() => [...this.view.stores()].find(isMeant), {
      what: `${name} to be a member`,
    });
  }

  /** Settles when that life is over for the cluster. */
  async isDown(incarnation: number): Promise<void> {
    await waitFor(() => this.view.member(incarnation) === undefined, {
      what: `the end of ${incarnation}`,
    });
  }

  /** Shards that this life owns. */
  owned(incarnation: number): number {
    return this.view.places().filter(({ owner }) => owner === incarnation).length;
  }

  /** Settles when it owns so many; the epochs of all shards, in their order. */
  async owns(incarnation: number, shards: number): Promise<readonly number[]> {
    const what = (): string => `${shards} shards of ${incarnation}, not ${this.owned(incarnation)}`;
    await waitFor(() => this.owned(incarnation) === shards, { what });
    return this.view.places().map(({ epoch }) => epoch);
  }
}
