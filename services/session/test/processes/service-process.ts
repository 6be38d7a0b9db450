/** A service of a cluster as a real process of its own. */
import { join } from "node:path";
import { Child, type Exit, type LogLine, type Scope, testScope, waitFor } from "@canopy/testkit";

/** By key; undefined: not given, whatever was said before. */
export type Settings = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ServiceProcessOptions {
  readonly role: "gateway" | "session" | "store";
  readonly name: string;
  /** Its data folder; a gateway has none. */
  readonly data?: string;
  readonly settings: Settings;
}

/** Started again it has the same settings and data folder. */
export class ServiceProcess {
  readonly name: string;
  readonly options: ServiceProcessOptions;
  readonly #scope: Scope;
  #child: Child | undefined;
  #log: LogLine[] = [];

  constructor(options: ServiceProcessOptions, scope: Scope = testScope()) {
    this.name = options.name;
    this.options = options;
    this.#scope = scope;
  }

  /** Does not wait until it is ready. */
  start(more: Settings = {}, flags: readonly string[] = []): void {
    const { role, name, data, settings } = this.options;
    const all = { "node.name": name, "log.format": "json", ...settings, ...more };
    const given = Object.entries(all).filter(([, value]) => value !== undefined);
    const sets = given.flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const main = join(import.meta.dirname, `../../../${role}/src/main.ts`);
    const folder = data === undefined ? [] : ["--data", data];
    const args = ["--conditions=source", main, ...folder, ...sets, ...flags];
    // None of the settings of whoever runs the tests.
    const env = { PATH: process.env["PATH"] };
    this.#log = [];
    this.#child = new Child({ command: process.execPath, args, env }, this.#scope);
  }

  /** What it says of itself when it is ready, in this run. */
  async ready(): Promise<LogLine> {
    await waitFor(() => this.exit !== undefined || this.#readyLine() !== undefined, {
      what: () => `${this.name} to be ready${this.output}`,
    });
    const line = this.#readyLine();
    if (line === undefined) throw new Error(`${this.name} has ended${this.output}`);
    return line;
  }

  /** Settles when it has said that, in this run. */
  async says(text: string | RegExp, level?: string): Promise<LogLine> {
    const isMeant = (line: LogLine): boolean =>
      (level === undefined || line.level === level) && line.msg.match(text) !== null;
    return waitFor(() => this.log.find(isMeant), {
      what: () => `${this.name} to say ${text}${this.output}`,
    });
  }

  /** What this run has logged so far. */
  get log(): readonly LogLine[] {
    const { stdout } = this.#running;
    for (let at = this.#log.length; at < stdout.length; at++) {
      this.#log.push(JSON.parse(stdout[at] as string) as LogLine);
    }
    return this.#log;
  }

  get stderr(): readonly string[] {
    return this.#running.stderr;
  }

  get exit(): Exit | undefined {
    return this.#running.exit;
  }

  get exited(): Promise<Exit> {
    return this.#running.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#running.signal(signal);
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): Promise<Exit> {
    return this.#running.kill(signal);
  }

  get output(): string {
    const { stdout, stderr } = this.#running;
    return `\n${[...stdout.slice(-10), ...stderr].join("\n")}`;
  }

  get #running(): Child {
    if (this.#child === undefined) throw new Error(`${this.name} was not started`);
    return this.#child;
  }

  #readyLine(): LogLine | undefined {
    return this.log.find(({ msg }) => / is ready: /.test(msg));
  }
}
