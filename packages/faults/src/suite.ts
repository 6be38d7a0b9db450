import { setTimeout as pause } from "node:timers/promises";
import { seededRandom } from "@canopy/base";
import { problems } from "./checks/index.ts";
import type { Done, Fault, FaultContext, Probes } from "./faults/fault.ts";
import { History } from "./history/history.ts";
import { Connecting, Publishing, Staying } from "./probes/probes.ts";
import { Controls } from "./targets/controls.ts";
import type { Target } from "./targets/target.ts";
import { Numbers } from "./workload/numbers.ts";
import { Workload } from "./workload/workload.ts";

/** Messages that flow before something is done, ms. */
const BEFORE = 1500;
/** How long it is waited for what is due, since the workload has stopped, ms. */
const PATIENCE = 40_000;
const BEAT = 250;
/** What comes within this time, ms, is not worth a word. */
const SOON = 3000;

export interface Round {
  readonly fault: string;
  readonly done: Done | undefined;
  /** Of clients, in the history of this round. */
  readonly events: number;
  /** What is wrong, by the promise that it breaks; nothing where all is right. */
  readonly problems: ReadonlyMap<string, readonly string[]>;
  readonly seconds: number;
  /** What was due and came last, if it was long in coming. */
  readonly late: readonly string[];
}

/** A target under load, and one fault after the other. */
export class Suite {
  readonly history: History = new History();
  readonly target: Target;
  readonly #controls: Controls;
  readonly #workload: Workload;
  readonly #probes: Probes;
  readonly #context: FaultContext;
  readonly #patience: number;
  #late: readonly string[] = [];

  constructor(target: Target, seed: number, patience: number = PATIENCE) {
    const { history } = this;
    const random = seededRandom(seed);
    this.target = target;
    this.#patience = patience;
    const controls = new Controls(target, history);
    this.#controls = controls;
    const gateways = controls.gateways.bind(controls);
    const healthy = controls.healthyGateways.bind(controls);
    const world = { history, random, numbers: new Numbers(), gateways };
    const options = { ...world, shards: target.shards, groups: target.groups };
    const names = gateways().map(({ name }) => name);
    const publishing = new Publishing(options, healthy);
    const connecting = new Connecting(options, healthy);
    const staying = new Staying(options, names, healthy);
    this.#probes = { publishing, connecting, staying };
    this.#workload = new Workload(world, [staying, publishing, connecting]);
    const now = () => history.now;
    this.#context = { controls, probes: this.#probes, random, now };
  }

  suits(fault: Fault): boolean {
    return fault.suits(this.#controls);
  }

  async open(): Promise<void> {
    await this.#workload.open();
  }

  async close(): Promise<void> {
    await this.#workload.close();
  }

  /** Load, the fault, and everything that is due; what is checked is the history since the last. */
  async round(fault: Fault): Promise<Round> {
    const began = this.history.now;
    for (const probe of Object.values(this.#probes)) probe.forget();
    this.#workload.begin();
    await pause(BEFORE);
    const failed: string[] = [];
    const done = await fault.run(this.#context).catch((error: unknown) => {
      failed.push(error instanceof Error ? error.message : String(error));
      return undefined;
    });
    this.#late = [];
    const found = await this.#settle(failed);
    const events = this.history.events.length;
    const seconds = (this.history.now - began) / 1000;
    if (found.size === 0) this.history.settle();
    return { fault: fault.name, done, events, problems: found, seconds, late: this.#late };
  }

  /** Waits for what is due; what is wrong in the end is wrong. */
  async #settle(failed: readonly string[]): Promise<Map<string, string[]>> {
    const late = await this.#workload.finish(this.#patience);
    const end = this.history.now + this.#patience;
    const soon = this.history.now + SOON;
    let found = problems(this.history.events);
    while (found.size + this.#workload.waitsFor.length > 0 && this.history.now < end) {
      if (this.history.now > soon) this.#late = [...found.values(), this.#workload.waitsFor].flat();
      await pause(BEAT);
      found = problems(this.history.events);
    }
    late.push(...this.#workload.waitsFor, ...failed);
    await this.#workload.giveUp();
    found = problems(this.history.events);
    if (late.length > 0) found.set("everything works again", [...new Set(late)]);
    return found;
  }
}
