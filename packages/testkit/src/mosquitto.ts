import { spawnSync } from "node:child_process";
import { Child, type Exit } from "./child.ts";
import { type Scope, testScope } from "./scope.ts";
import { defaultTimeout, waitFor } from "./wait-for.ts";

const publish = "mosquitto_pub";
const subscribe = "mosquitto_sub";
// Without a terminal mosquitto_sub keeps its output until there is a lot of it.
const byLine = ["stdbuf", "-oL"] as const;

/** Whether the command line clients of Mosquitto are installed; for test.skipIf. */
export function hasMosquitto(): boolean {
  const [command, ...args] = byLine;
  // It has an exit code of its own for --help; 127 is stdbuf's for "not found".
  const { error, status } = spawnSync(command, [...args, subscribe, "--help"]);
  return error === undefined && status !== 127;
}

export interface Finished extends Exit {
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** Runs mosquitto_pub to its end. */
export async function mosquittoPub(
  args: readonly string[],
  scope: Scope = testScope(),
): Promise<Finished> {
  const child = new Child({ command: publish, args }, scope);
  return { ...(await child.exited), stdout: child.stdout, stderr: child.stderr };
}

export interface MosquittoSubOptions {
  /** What is printed of a message, as for -F: "%p" is the payload, "%t" the topic, "%q" the QoS. */
  readonly format?: string;
  readonly scope?: Scope;
}

// In front of messages, to tell them from what -d prints.
const mark = "> ";

/** Starts mosquitto_sub; resolves when its subscriptions are acknowledged. */
export async function mosquittoSub(
  args: readonly string[],
  options: MosquittoSubOptions = {},
): Promise<MosquittoSub> {
  const { format = "%p", scope = testScope() } = options;
  const [command, ...buffering] = byLine;
  const child = new Child(
    { command, args: [...buffering, subscribe, "-d", "-F", mark + format, ...args] },
    scope,
  );
  const subscribed = () => child.stdout.some((line) => line.startsWith("Subscribed (mid"));
  const output = () => [...child.stdout, ...child.stderr].join("\n");
  await waitFor(() => subscribed() || child.exit !== undefined, {
    what: () => `mosquitto_sub to subscribe\n${output()}`,
  });
  if (!subscribed()) throw new Error(`mosquitto_sub has ended\n${output()}`);
  return new MosquittoSub(child);
}

export class MosquittoSub {
  readonly #child: Child;

  constructor(child: Child) {
    this.#child = child;
  }

  /** The messages so far, in the format asked for. A payload with line breaks keeps its first line. */
  get messages(): string[] {
    const lines = this.#child.stdout.filter((line) => line.startsWith(mark));
    return lines.map((line) => line.slice(mark.length));
  }

  /** Resolves to all messages when there are so many. */
  waitFor(count: number, timeout: number = defaultTimeout()): Promise<string[]> {
    return waitFor(() => (this.messages.length >= count ? this.messages : undefined), {
      timeout,
      what: () => `${count} messages; there are ${this.messages.length}`,
    });
  }

  /** Resolves when it ends by itself, e.g. after the number of messages of -C. */
  get exited(): Promise<Exit> {
    return this.#child.exited;
  }

  stop(): Promise<Exit> {
    return this.#child.kill("SIGTERM");
  }
}
