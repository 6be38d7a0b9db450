import { pick, type Random, randomBool, randomInt, seededRandom } from "@canopy/base";
import type { Change, Member, ShardPlace, VersionedChange } from "@canopy/control";
import { FakeTime } from "@canopy/testkit";
import { Disk } from "./disk.ts";
import { ModelGateway } from "./gateway.ts";
import { ModelNode } from "./node.ts";
import { ModelStore, type StoreBehaviour } from "./store.ts";
import { type Channel, Wire } from "./wire.ts";

const SHARDS = 3;
const GATEWAYS = 3;
const STORES = 3;

interface Process {
  readonly store: ModelStore;
  readonly view: Channel;
  readonly backend: Channel;
  /** It runs; the control plane may not know that it does not. */
  isAlive: boolean;
}

export interface Chances {
  /** Of 100 steps, how many are faults. */
  readonly faults: number;
}

/** Gateways, store processes and what lies between them, driven by a seed. */
export class ModelCluster {
  readonly time = new FakeTime({ now: 1 });
  readonly disks: readonly Disk[] = Array.from({ length: SHARDS }, () => new Disk());
  readonly gateways: ModelGateway[] = [];
  readonly complaints: string[] = [];
  readonly #random: Random;
  readonly #wire: Wire;
  readonly #behaviour: StoreBehaviour;
  readonly #views: Channel[] = [];
  readonly #processes = new Map<number, Process>();
  /** As the control plane has it. */
  readonly #members = new Map<number, Member>();
  readonly #places: ShardPlace[] = [];
  #version = GATEWAYS + STORES;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#wire = new Wire(this.#random);
    this.#behaviour = { random: this.#random, failures: 0.02 };
    const gateways = Array.from({ length: GATEWAYS }, (_, i) => 1 + i);
    for (let i = 1; i <= STORES; i++) this.#add(GATEWAYS + i);
    for (let shard = 0; shard < SHARDS; shard++) {
      this.#places.push({ shard, owner: GATEWAYS + 1 + (shard % STORES), epoch: 1, home: "" });
    }
    const whole = {
      version: this.#version,
      shards: SHARDS,
      groups: 1,
      members: [...this.#members.values()],
      down: [],
      places: [...this.#places],
      nodes: [],
      bans: [],
    };
    for (const incarnation of gateways) {
      const self = this.#wire.open();
      const gateway = new ModelGateway({
        incarnation,
        whole,
        time: this.time,
        random: this.#random,
        self,
        complaints: this.complaints,
      });
      this.gateways.push(gateway);
      this.#views.push(this.#wire.open());
    }
    for (const { store } of this.#processes.values()) store.gateways = gateways;
    for (const { shard, owner, epoch } of this.#places) {
      this.#processes.get(owner)?.store.own(shard, epoch, this.#version);
    }
    for (const gateway of this.gateways)
      for (const i of this.#processes.keys()) this.#connect(gateway, i);
  }

  /** Every subscription is in force. */
  async subscribe(): Promise<void> {
    const filter = { filter: "#", add: true, transient: true };
    const all = this.gateways.map(({ shards, incarnation }) =>
      shards.interests(incarnation, [filter]),
    );
    await this.#drain();
    await Promise.all(all);
  }

  async run(steps: number, chances: Chances): Promise<void> {
    for (let i = 0; i < steps; i++) {
      if (randomInt(this.#random, 100) < chances.faults) this.#fault();
      else this.#work();
      await settled();
    }
  }

  /** Nothing fails any more: until every message has its answer. */
  async heal(): Promise<void> {
    this.#behaviour.failures = 0;
    for (const [incarnation, process] of this.#processes)
      if (!process.isAlive) this.#down(incarnation);
    if (this.#alive().length === 0) this.#join();
    for (const { owner, shard } of this.#places) {
      if (owner === 0) this.#give(shard, pick(this.#random, this.#alive()));
    }
    for (const gateway of this.gateways) for (const i of this.#alive()) this.#connect(gateway, i);
    for (let i = 0; i < 200 && this.#isWaiting(); i++) {
      await this.#drain();
      this.time.advance(250);
    }
    await this.#drain();
    for (const gateway of this.gateways) gateway.shards.close();
  }

  #isWaiting(): boolean {
    return this.gateways.some(({ sent }) =>
      [...sent.values()].some(({ qos, answer }) => qos > 0 && answer === undefined),
    );
  }

  async #drain(): Promise<void> {
    do await settled();
    while (this.#wire.step());
  }

  // --- what happens -----------------------------------------------------------------------------

  #work(): void {
    const dice = randomInt(this.#random, 100);
    if (dice < 20) pick(this.#random, this.gateways).publish();
    else if (dice < 21) pick(this.#random, this.gateways).withdraw();
    else if (dice < 25) this.time.advance(randomInt(this.#random, 400));
    else this.#wire.step();
  }

  #fault(): void {
    const dice = randomInt(this.#random, 7);
    const gateway = pick(this.#random, this.gateways);
    const shard = randomInt(this.#random, SHARDS);
    const alive = this.#alive();
    if (dice === 0 && alive.length > 1) this.#kill(pick(this.#random, alive));
    else if (dice === 1) gateway.nodes.reset(pick(this.#random, [...this.#processes.keys()]));
    else if (dice === 2) this.#move(shard);
    else if (dice === 3) this.#join();
    else if (dice === 4) this.#bury();
    else for (const store of alive) this.#connect(gateway, store);
  }

  #alive(): number[] {
    return [...this.#processes].filter(([, { isAlive }]) => isAlive).map(([i]) => i);
  }

  #connect(gateway: ModelGateway, incarnation: number): void {
    const process = this.#processes.get(incarnation);
    if (process?.isAlive !== true || gateway.nodes.get(incarnation) !== undefined) return;
    const [to, from] = [this.#wire.open(), this.#wire.open()];
    gateway.nodes.connect(incarnation, new ModelNode(SHARDS, process.store, to, from));
  }

  /** A process ends; nobody knows. */
  #kill(incarnation: number): void {
    const process = this.#processes.get(incarnation) as Process;
    process.isAlive = false;
    process.view.cut();
    process.backend.cut();
    for (const { nodes } of this.gateways) nodes.reset(incarnation);
  }

  /** The control plane finds out that a process has ended. */
  #bury(): void {
    const dead = [...this.#processes].find(
      ([incarnation, { isAlive }]) => !isAlive && this.#members.has(incarnation),
    );
    if (dead !== undefined) this.#down(dead[0]);
  }

  #down(incarnation: number): void {
    if (!this.#members.delete(incarnation)) return;
    this.#commit({ type: "store-down", incarnation });
    for (const place of this.#places) {
      if (place.owner !== incarnation) continue;
      const [next] = this.#alive();
      if (next === undefined || randomBool(this.#random, 0.5)) {
        this.#place({ ...place, owner: 0 });
      } else this.#give(place.shard, next);
    }
  }

  #move(shard: number): void {
    const place = this.#places[shard] as ShardPlace;
    const owner = this.#processes.get(place.owner);
    // a shard is taken only from who is down, or gives it up
    if (place.owner !== 0 && owner?.isAlive !== true) return;
    this.#give(shard, pick(this.#random, this.#alive()));
  }

  #join(): void {
    const incarnation = this.#version + 1;
    this.#add(incarnation);
    this.#commit({ type: "member-up", member: this.#members.get(incarnation) as Member });
    const process = this.#processes.get(incarnation) as Process;
    process.store.gateways = this.gateways.map((gateway) => gateway.incarnation);
    for (const { owner, shard } of this.#places) {
      if (owner === 0) this.#give(shard, incarnation);
    }
    for (const gateway of this.gateways) {
      if (randomBool(this.#random, 0.5)) this.#connect(gateway, incarnation);
    }
  }

  // --- the control plane ------------------------------------------------------------------------

  #add(incarnation: number): void {
    const backend = this.#wire.open();
    const store = new ModelStore(
      incarnation,
      this.disks,
      this.#behaviour,
      backend,
      this.complaints,
    );
    this.#processes.set(incarnation, { store, view: this.#wire.open(), backend, isAlive: true });
    const name = `store-${incarnation}`;
    this.#members.set(incarnation, { kind: "store", incarnation, name, address: "", disk: "" });
  }

  #give(shard: number, owner: number): void {
    const { epoch } = this.#places[shard] as ShardPlace;
    this.#place({ shard, owner, epoch: epoch + 1, home: "" });
  }

  #place(place: ShardPlace): void {
    this.#places[place.shard] = place;
    this.#commit({ type: "shard", place });
    const { shard, owner, epoch } = place;
    const version = this.#version;
    for (const [incarnation, { store, view }] of this.#processes) {
      if (incarnation === owner) view.send(() => store.own(shard, epoch, version));
      else view.send(() => store.lose(shard));
    }
  }

  #commit(change: Change): void {
    const versioned: VersionedChange = { version: ++this.#version, change };
    for (const [i, gateway] of this.gateways.entries()) {
      this.#views[i]?.send(() => gateway.see(versioned));
    }
  }
}

/** Everything that promises have to say has been said. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}
