import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child, type Exit } from "./child.ts";
import { type Scope, testScope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";
import { defaultTimeout, waitFor } from "./wait-for.ts";

export interface BrokerOptions {
  /** The data folder; a temporary one without it. */
  readonly data?: string;
  /** Settings by key, e.g. { "limits.maxPacketSize": "2KiB" }. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** What is run: the sources' main without it. */
  readonly main?: string;
  /** Milliseconds until it must listen, and until it must have stopped; see defaultTimeout. */
  readonly timeout?: number;
}

/** One line of the broker's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const sourceMain = join(root, "services", "standalone", "src", "main.ts");

/** Starts the standalone broker as a process of its own; resolves when it listens. */
export async function startBroker(
  options: BrokerOptions = {},
  scope: Scope = testScope(),
): Promise<Broker> {
  const data = options.data ?? join(await tempDir(scope), "data");
  const broker = new Broker(data, options, scope);
  await broker.start();
  return broker;
}

/**
 * A broker with one TCP and one WebSocket listener on ports that the system chose. It can be
 * started again after stop or kill9, with the same data and the same ports.
 */
export class Broker {
  readonly data: string;
  readonly options: BrokerOptions;
  readonly host = "127.0.0.1";
  readonly #scope: Scope;
  #child: Child | undefined;
  #ports: { tcp: number; ws: number } = { tcp: 0, ws: 0 };
  #log: LogLine[] = [];

  constructor(data: string, options: BrokerOptions, scope: Scope) {
    this.data = data;
    this.options = options;
    this.#scope = scope;
  }

  get pid(): number {
    return this.#running.pid;
  }

  get tcp(): { readonly host: string; readonly port: number } {
    return { host: this.host, port: this.#ports.tcp };
  }

  get ws(): { readonly url: string } {
    return { url: `ws://${this.host}:${this.#ports.ws}/mqtt` };
  }

  /** For clients that take a URL. */
  get url(): string {
    return `mqtt://${this.host}:${this.#ports.tcp}`;
  }

  /** What this run has logged so far. A line that is not JSON is the msg of a line "raw". */
  get log(): readonly LogLine[] {
    const { stdout } = this.#running;
    while (this.#log.length < stdout.length) this.#log.push(logLine(stdout[this.#log.length]));
    return this.#log;
  }

  get stderr(): readonly string[] {
    return this.#running.stderr;
  }

  /** How this run ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#running.exit;
  }

  get exited(): Promise<Exit> {
    return this.#running.exited;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined && this.#child.exit === undefined) throw new Error("it runs");
    this.#log = [];
    this.#child = new Child(
      {
        command: process.execPath,
        args: ["--conditions=source", this.options.main ?? sourceMain, ...this.#arguments()],
        env: { ...cleanEnvironment(), ...this.options.env },
      },
      this.#scope,
    );
    await this.waitReady();
  }

  /** Resolves when both listeners listen; rejects with the output if the broker ends before. */
  async waitReady(): Promise<void> {
    const ports = () => ({ tcp: this.#port("tcp"), ws: this.#port("ws") });
    await waitFor(() => this.exit !== undefined || (ports().tcp > 0 && ports().ws > 0), {
      timeout: this.#timeout,
      what: () => `the broker to listen${this.#output()}`,
    });
    if (this.exit !== undefined) throw new Error(`the broker has ended${this.#output()}`);
    this.#ports = ports();
  }

  /** Resolves to the first line with this msg and these fields, logged by now or later. */
  logged(msg: string | RegExp, fields: Readonly<Record<string, unknown>> = {}): Promise<LogLine> {
    const wanted = Object.entries(fields);
    const isIt = (line: LogLine) =>
      (typeof msg === "string" ? line.msg === msg : msg.test(line.msg)) &&
      wanted.every(([name, value]) => line[name] === value);
    return waitFor(() => this.log.find(isIt), {
      timeout: this.#timeout,
      what: () => `the log line ${msg} ${JSON.stringify(fields)}${this.#output()}`,
    });
  }

  /** Asks it to stop (SIGTERM). A broker that does not stop in time is killed, which is an error. */
  async stop(): Promise<Exit> {
    const child = this.#running;
    if (child.exit === undefined) child.signal("SIGTERM");
    try {
      await waitFor(() => child.exit, { timeout: this.#timeout, what: "the broker to stop" });
    } catch (error) {
      await child.kill("SIGKILL");
      throw new Error(`killed${this.#output()}`, { cause: error });
    }
    return child.exited;
  }

  /** Ends it at once, as a crash does. What the kernel has taken is not lost, as after a power cut. */
  kill9(): Promise<Exit> {
    return this.#running.kill("SIGKILL");
  }

  /** It stands still (SIGSTOP): its sockets stay open, and nobody answers. */
  pause(): void {
    this.#running.signal("SIGSTOP");
  }

  resume(): void {
    this.#running.signal("SIGCONT");
  }

  /** Stops it, if it runs, and starts it with the same data and ports. */
  async restart(): Promise<void> {
    if (this.exit === undefined) await this.stop();
    await this.start();
  }

  get #running(): Child {
    if (this.#child === undefined) throw new Error("the broker has not been started");
    return this.#child;
  }

  get #timeout(): number {
    return this.options.timeout ?? defaultTimeout();
  }

  #arguments(): string[] {
    const { tcp, ws } = this.#ports;
    const set = { "log.format": "json", ...this.options.set };
    const listeners = [`tcp://${this.host}:${tcp}`, `ws://${this.host}:${ws}/mqtt`];
    return [
      "--data",
      this.data,
      ...listeners.flatMap((listener) => ["--listen", listener]),
      ...Object.entries(set).flatMap(([key, value]) => ["--set", `${key}=${value}`]),
      ...(this.options.args ?? []),
    ];
  }

  /** The port in the log line "listening" of this scheme; 0 if there is none yet. */
  #port(scheme: string): number {
    for (const { msg, listener } of this.log) {
      if (msg !== "listening" || typeof listener !== "string") continue;
      const url = URL.parse(listener);
      if (url?.protocol === `${scheme}:`) return Number(url.port);
    }
    return 0;
  }

  #output(): string {
    const { stdout, stderr, exit } = this.#running;
    const status = exit === undefined ? "" : `: code ${exit.code}, signal ${exit.signal}`;
    return `${status}\n${[...stdout.slice(-20), ...stderr.slice(-20)].join("\n")}`;
  }
}

function logLine(text = ""): LogLine {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === "object" && line !== null && "msg" in line) return line as LogLine;
  } catch {
    // Not a line of the logger: kept as it is.
  }
  return { level: "raw", msg: text };
}

/** Settings of the machine, and of the test runner, are not the broker's. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(CANOPY_|VITEST|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
