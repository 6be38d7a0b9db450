import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { Deferred } from "@canopy/base";
import { onLine } from "./lines.ts";
import { type Scope, testScope } from "./scope.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Those that run now: killed also when the test process exits without closing its scopes. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A real process, its output as lines; killed at the end of its scope if it still runs then. */
export class Child {
  readonly command: string;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** Resolves when the process has ended and all of its output is here. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcessByStdio<null, Readable, Readable>;
  #exit: Exit | undefined;

  constructor(options: ChildOptions, scope: Scope = testScope()) {
    const { command, args, ...rest } = options;
    this.command = [command, ...args].join(" ");
    const child = spawn(command, args, { ...rest, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    running.add(child);
    onLine(child.stdout, (line) => this.stdout.push(line));
    onLine(child.stderr, (line) => this.stderr.push(line));
    const ended = new Deferred<Exit>();
    const end = (exit: Exit) => {
      running.delete(child);
      this.#exit = exit;
      ended.resolve(exit);
    };
    child.once("close", (code, signal) => end({ code, signal }));
    child.once("error", (error) => {
      this.stderr.push(error.message);
      if (child.pid === undefined) end({ code: 127, signal: null });
    });
    this.exited = ended.promise;
    scope.defer(() => this.kill("SIGKILL"));
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`not started: ${this.command}: ${this.stderr.join()}`);
    return pid;
  }

  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Sends the signal, unless it has ended, and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<Exit> {
    if (this.#exit === undefined) this.#process.kill(signal);
    return this.exited;
  }
}
