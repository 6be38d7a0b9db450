import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Deferred, systemTimers, type Timer } from "@canopy/base";

export type ClusterRole = "gateway" | "session" | "store";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What is fixed about a process, however often it is started. */
export interface ProcessPlan {
  readonly name: string;
  readonly role: ClusterRole;
  /** Its configuration, a file. */
  readonly config: string;
  /** Where the others of the cluster reach it, `host:port`; a gateway is not called. */
  readonly address: string | undefined;
  /** Of a gateway, where clients connect. */
  readonly mqtt: { readonly host: string; readonly port: number } | undefined;
  readonly ws: { readonly url: string } | undefined;
  readonly data: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

/** ms that a process may take until it is ready; it waits for others. */
const READY_TIMEOUT = 60_000;
/** … and until it has stopped, which takes it 10 s where others are gone. */
const STOP_TIMEOUT = 15_000;
const KEPT_LINES = 20;

/** Those that run now: they do not outlive this process. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** One process of a cluster. Started again it has the same name, data folder and ports. */
export class ClusterProcess {
  readonly #plan: ProcessPlan;
  readonly #onLine: (name: string, line: string) => void;
  #run: Run | undefined;

  constructor(plan: ProcessPlan, onLine: (name: string, line: string) => void) {
    this.#plan = plan;
    this.#onLine = onLine;
  }

  get name(): string {
    return this.#plan.name;
  }

  get role(): ClusterRole {
    return this.#plan.role;
  }

  /** Of the present run, or the last one. */
  get pid(): number {
    return this.#latest.child.pid ?? 0;
  }

  /** Where the others of the cluster reach it. */
  get address(): string | undefined {
    return this.#plan.address;
  }

  /** Of a gateway, where clients connect. */
  get mqtt(): { readonly host: string; readonly port: number } | undefined {
    return this.#plan.mqtt;
  }

  get ws(): { readonly url: string } | undefined {
    return this.#plan.ws;
  }

  get data(): string | undefined {
    return this.#plan.data;
  }

  get running(): boolean {
    return this.#run !== undefined && this.#run.how === undefined;
  }

  /** How the present run, or the last one, ended. */
  get ended(): Promise<Ended> {
    return this.#latest.ended.promise;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.running) this.#latest.child.kill(signal);
  }

  /** Settles when it is ready; rejects with what it said where it ends before, or takes too long. */
  async start(): Promise<void> {
    if (this.running) throw new Error(`${this.name} runs`);
    const run = new Run(this.#plan, this.#onLine);
    this.#run = run;
    await run.ready.promise;
  }

  /** Asks it to stop; one that does not is killed. */
  async stop(): Promise<void> {
    if (!this.running) return;
    const { child, ended } = this.#latest;
    child.kill("SIGTERM");
    const limit = systemTimers.set(STOP_TIMEOUT, () => void child.kill("SIGKILL"));
    await ended.promise;
    limit.cancel();
  }

  get #latest(): Run {
    if (this.#run === undefined) throw new Error(`${this.name} has not been started`);
    return this.#run;
  }
}

/** From its start to its end. */
class Run {
  readonly child: ChildProcess;
  readonly ready: Deferred = new Deferred();
  readonly ended: Deferred<Ended> = new Deferred<Ended>();
  how: Ended | undefined;
  readonly #name: string;
  readonly #last: string[] = [];
  readonly #limit: Timer;

  constructor(plan: ProcessPlan, onLine: (name: string, line: string) => void) {
    this.#name = plan.name;
    const child = spawn(process.execPath, [...commandOf(plan.role), "--config", plan.config], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...cleanEnvironment(), ...plan.env },
      // Ctrl-C at a terminal is for the launcher alone, which stops them in their order.
      detached: true,
    });
    this.child = child;
    running.add(child);
    // Who has no interest in how it began, or ends, need not listen.
    this.ready.promise.catch(() => {});
    const heard = (line: string): void => {
      this.#heard(line);
      onLine(plan.name, line);
    };
    for (const stream of [child.stdout, child.stderr]) readLines(stream, heard);
    child.once("error", (error) => heard(error.message));
    child.once("close", (code, signal) => this.#end({ code, signal }));
    this.#limit = systemTimers.set(READY_TIMEOUT, () =>
      this.#fail(`is not ready after ${READY_TIMEOUT} ms`),
    );
  }

  #heard(line: string): void {
    this.#last.push(line);
    if (this.#last.length > KEPT_LINES) this.#last.shift();
    if (!isReady(line, this.#name)) return;
    this.#limit.cancel();
    this.ready.resolve();
  }

  #end(how: Ended): void {
    running.delete(this.child);
    this.how = how;
    this.#limit.cancel();
    this.#fail(`has ended (code ${how.code}, signal ${how.signal})`);
    this.ended.resolve(how);
  }

  /** Says nothing where it is ready. */
  #fail(how: string): void {
    this.ready.reject(new Error([`${this.#name} ${how}:`, ...this.#last].join("\n")));
  }
}

/** Of the sources, or of what was built of them: as this file is. */
function commandOf(role: ClusterRole): string[] {
  const isSource = import.meta.url.endsWith(".ts");
  const main = isSource ? `../../${role}/src/main.ts` : `../../${role}/dist/main.js`;
  const path = fileURLToPath(new URL(main, import.meta.url));
  return ["--max-semi-space-size=16", ...(isSource ? ["--conditions=source"] : []), path];
}

/** The line that a process logs when it serves. */
function isReady(line: string, name: string): boolean {
  if (!line.includes("is ready")) return false;
  try {
    const said = JSON.parse(line) as Record<string, unknown>;
    return said["name"] === name && typeof said["version"] === "string";
  } catch {
    return false;
  }
}

function readLines(stream: Readable | null, use: (line: string) => void): void {
  if (stream === null) return;
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", use);
}

/** Settings of the machine, and of a test runner, are not the cluster's. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(CANOPY_|VITEST|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  // oxlint-disable-next-line node/no-process-env -- what a process inherits, not a setting of this one
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
