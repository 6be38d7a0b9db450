import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Deferred } from "@canopy/base";

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** How many lines of what it printed are kept. */
const KEPT = 400;

/** A process of Node that runs a source file; it does not outlive this one. */
export class Child {
  readonly ended: Promise<void>;
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #onLine: (line: string) => void;
  #hasEnded = false;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, onLine: (line: string) => void) {
    this.#onLine = onLine;
    const child = spawn(process.execPath, ["--conditions=source", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...cleanEnvironment(), ...env },
    });
    this.#child = child;
    running.add(child);
    const ended = new Deferred();
    child.once("close", () => {
      running.delete(child);
      this.#hasEnded = true;
      ended.resolve();
    });
    this.ended = ended.promise;
    createInterface({ input: child.stdout }).on("line", (line) => this.#take(line));
    createInterface({ input: child.stderr }).on("line", (line) => this.#take(line));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #take(line: string): void {
    this.lines.push(line);
    if (this.lines.length > KEPT) this.lines.shift();
    this.#onLine(line);
  }
}

/** Settings of the machine, and of a test runner, are not the broker's. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(CANOPY_|VITEST|NODE_ENV$|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  // oxlint-disable-next-line node/no-process-env -- what a process inherits, not a setting of this one
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
