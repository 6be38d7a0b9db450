import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";

/** Processes that this one has started and that have not ended. */
const running = new Set<ChildProcess>();

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

process.on("exit", killAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(1));
}

export interface StartOptions {
  /** Cores for taskset; undefined: any. */
  readonly cores: string | undefined;
  readonly stdio: StdioOptions;
  readonly cwd?: string;
}

/** Starts a process that ends with this one. taskset becomes the command: the pid stays. */
export function start(
  command: string,
  args: readonly string[],
  { cores, stdio, cwd }: StartOptions,
): ChildProcess {
  const [file, ...rest] =
    cores === undefined ? [command, ...args] : ["taskset", "-c", cores, command, ...args];
  const child = spawn(file, rest, { stdio, env: environment(), ...(cwd !== undefined && { cwd }) });
  running.add(child);
  const gone = (): void => {
    running.delete(child);
  };
  child.on("exit", gone);
  child.on("error", gone);
  return child;
}

/** Ends a process that `start` started: asks it first, and then does not ask. */
export async function end(child: ChildProcess, patience = 10_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), patience);
  await ended;
  clearTimeout(late);
}

/** What is set for this machine is not for a measurement. */
function environment(): NodeJS.ProcessEnv {
  const foreign = /^(CANOPY_|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  // oxlint-disable-next-line node/no-process-env -- children need PATH and the like
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
