import type { Gateway } from "../client/client.ts";
import type { History } from "../history/history.ts";
import type { Role, Target, TargetProcess } from "./target.ts";

/** What can be done to the processes of a target; each deed is in the history. */
export class Controls {
  readonly target: Target;
  readonly #history: History;
  readonly #troubled = new Set<string>();

  constructor(target: Target, history: History) {
    this.target = target;
    this.#history = history;
  }

  /** All that clients may try. */
  gateways(): Gateway[] {
    return this.target.processes.flatMap(({ name, mqtt }) => (mqtt ? [{ name, ...mqtt }] : []));
  }

  /** Those to which nothing has been done. */
  healthyGateways(): Gateway[] {
    const healthy = this.gateways().filter(({ name }) => !this.#troubled.has(name));
    return healthy.length > 0 ? healthy : this.gateways();
  }

  ofRole(role: Role): TargetProcess[] {
    return this.target.processes.filter((one) => one.role === role);
  }

  named(name: string): TargetProcess {
    const found = this.target.processes.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no process ${name}`);
    return found;
  }

  /** Sends the signal; settles when it has ended. */
  async end(one: TargetProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#begin(one, signal);
    const { ended } = one;
    one.kill(signal);
    await ended;
  }

  /** Settles when it is ready. */
  async start(one: TargetProcess): Promise<void> {
    await one.start();
    this.#end(one, "start");
  }

  pause(one: TargetProcess): void {
    this.#begin(one, "SIGSTOP");
    one.kill("SIGSTOP");
  }

  resume(one: TargetProcess): void {
    one.kill("SIGCONT");
    this.#end(one, "SIGCONT");
  }

  /** Cuts it off from all other processes; the answer heals it. */
  async isolate(one: TargetProcess): Promise<() => void> {
    if (this.target.isolate === undefined) throw new Error(`${this.target.name}: no partitions`);
    this.#begin(one, "partition");
    const heal = await this.target.isolate(one.name);
    return () => {
      heal();
      this.#end(one, "partition");
    };
  }

  #begin({ name }: TargetProcess, what: string): void {
    this.#troubled.add(name);
    this.#history.add({ kind: "fault", name: what, process: name, phase: "begin" });
  }

  #end({ name }: TargetProcess, what: string): void {
    this.#troubled.delete(name);
    this.#history.add({ kind: "fault", name: what, process: name, phase: "end" });
  }
}
