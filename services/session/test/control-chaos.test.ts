/**
 * Nodes are cut off, killed and started again, members lose their connections: whatever happens, no
 * store process acknowledges anything once it is down, and in the end everybody agrees.
 */
import { pick, randomInt, seededRandom } from "@canopy/base";
import type { ReadonlyView } from "@canopy/control";
import { testScope } from "@canopy/testkit";
import { expect, test } from "vitest";
import { ControlCluster, LEASE } from "./control.ts";
import { ControlProcess } from "./control-process.ts";

const NAMES = ["a", "b", "c"];
const STEPS = 120;

class World {
  readonly #cluster: ControlCluster;
  readonly #random: ReturnType<typeof seededRandom>;
  readonly processes = new Map<string, ControlProcess>();
  #seed = 1;
  #over = false;
  ends = 0;
  readonly wrong: string[] = [];

  constructor(cluster: ControlCluster, seed: number) {
    this.#cluster = cluster;
    this.#random = seededRandom(seed);
  }

  /** As another life, where it has been there before. */
  begin(name: string): void {
    const kind = name.startsWith("s") ? "store" : "gateway";
    const life = new ControlProcess(this.#cluster, kind, name, this.#seed++);
    this.processes.set(name, life);
    life.follower.start();
    // Repeated like everything else; where nobody answers in time the process starts anew.
    life.keeper.join().catch(() => {
      if (this.processes.get(name) !== life || this.#over) return;
      life.die();
      this.begin(name);
    });
  }

  async step(): Promise<void> {
    const random = this.#random;
    const { network, nodes } = this.#cluster;
    const name = pick(random, NAMES);
    const life = pick(random, [...this.processes.values()]);
    const what = randomInt(random, 10);
    const node = nodes.find((one) => one.name === name);
    if (what < 2 && network.cutOff.size < 2) network.cutOff.add(name);
    else if (what < 4) network.cutOff.delete(name);
    else if (what === 4) life.cutOff.add(name);
    else if (what === 5) for (const all of NAMES) life.cutOff.add(all);
    else if (what < 8) life.cutOff.clear();
    else if (what === 8 && node !== undefined && nodes.length === NAMES.length) {
      await this.#cluster.kill(node);
    } else await this.restart();
    await this.#cluster.pass(100 * randomInt(random, 12), () => this.look());
  }

  /** Nodes that were killed are back. */
  async restart(): Promise<void> {
    const { network, nodes } = this.#cluster;
    for (const name of NAMES) {
      if (nodes.some((one) => one.name === name)) continue;
      network.cutOff.delete(name);
      await this.#cluster.add(name, false);
    }
  }

  look(): void {
    for (const [name, life] of this.processes) {
      const { incarnation } = life.keeper;
      if (life.told.includes("ended")) {
        this.ends++;
        life.die();
        this.begin(name);
      } else if (incarnation !== 0 && life.isValid && name.startsWith("s")) {
        if (this.#cluster.nodes.some(({ service: { view } }) => isDown(view, incarnation))) {
          this.wrong.push(`${name} is down, and valid`);
        }
      }
    }
  }

  /** Nobody starts anew any more. */
  end(): void {
    this.#over = true;
  }

  async heal(): Promise<void> {
    await this.restart();
    this.#cluster.network.cutOff.clear();
    for (const life of this.processes.values()) life.cutOff.clear();
  }
}

function isDown(view: ReadonlyView, incarnation: number): boolean {
  return view.version >= incarnation && view.member(incarnation) === undefined;
}

test.each([1, 2, 3])(
  "leases and the control log agree, whatever breaks: %i",
  async (seed) => {
    const cluster = await ControlCluster.start(3);
    cluster.together = true;
    const world = new World(cluster, seed);
    testScope().defer(() => world.end());
    for (const name of ["s1", "s2", "g1", "g2"]) world.begin(name);
    for (let i = 0; i < STEPS; i++) await world.step();
    await world.heal();
    const lives = () => [...world.processes.values()];
    await cluster.until(() => {
      world.look();
      return lives().every(({ isValid }) => isValid);
    });
    const { service } = await cluster.leader();
    await cluster.pass(2 * LEASE, () => world.look());
    expect(world.wrong).toEqual([]);
    expect(world.ends).toBeGreaterThan(0);
    const members = [...service.view.members()].map(({ incarnation }) => incarnation);
    const expected = lives().map(({ keeper }) => keeper.incarnation);
    expect(members.toSorted((x, y) => x - y)).toEqual(expected.toSorted((x, y) => x - y));
    await cluster.until(() =>
      lives().every(({ follower }) => follower.view.version === service.view.version),
    );
    for (const { follower } of lives()) expect(follower.view.whole()).toEqual(service.view.whole());
    expect(service.view.places().every(({ owner }) => members.includes(owner))).toBe(true);
  },
  30_000,
);
