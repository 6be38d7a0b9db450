/** What every process does: reads its configuration, starts, says so, ends on a signal. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Lifecycle, Logger } from "@canopy/base";
import {
  type Config,
  ConfigError,
  helpText,
  loadConfig,
  type Role,
  requestedAction,
} from "@canopy/config";
import { createLogger } from "@canopy/telemetry";
import { DataFolderError } from "./data-folder.ts";
import { endOnSignals } from "./signals.ts";
import { version } from "./version.ts";

/** A process, made but not started. */
export interface Process extends Lifecycle {
  /** Settles with the reason when it can serve nobody any more, though it was not stopped. */
  readonly failed: Promise<string>;
  /** What is said when it has started, with where it can be reached. */
  readonly ready: { readonly message: string; readonly [field: string]: unknown };
}

export interface RunOptions {
  readonly role: Role;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly compose: (config: Config, logger: Logger, version: string) => Process;
  /** Whether what went wrong is the user's to mend, beside what is known here: told in one line. */
  readonly isUsage?: (error: unknown) => boolean;
}

/** What is wrong with what was asked for, rather than with the process. */
const EXIT_USAGE = 2;

/** Settles when the process may end; it ends by itself then. */
export function runMain(options: RunOptions): Promise<void> {
  return orComplain(() => act(options), options.isUsage);
}

/** What fails is said in one line where the user can mend it, and the process ends. */
export async function orComplain(
  act: () => Promise<void>,
  isUsage: RunOptions["isUsage"] = () => false,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    complain(error, isUsage);
    // parts that did start may keep the process alive
    setImmediate(() => process.exit());
  }
}

async function act(options: RunOptions): Promise<void> {
  const { role, argv } = options;
  const action = requestedAction(argv);
  if (action === "help") process.stdout.write(helpText(role));
  else if (action === "version") process.stdout.write(`canopy ${version}\n`);
  else await run(options);
}

async function run({ role, argv, env, compose }: RunOptions): Promise<void> {
  const readFile = (path: string): string => readFileSync(path, "utf8");
  const sources = { argv, env, readFile, role, hostname: hostname() };
  const { config, warnings } = loadConfig(sources);
  // whoever read the log has gone, or its disk is full: lines are lost, the process goes on
  process.stdout.on("error", () => {});
  const logger = createLogger(config.log, process.stdout);
  for (const warning of warnings) logger.warn({}, warning);
  const made = compose(config, logger, version);
  const end = endOnSignals(made, logger, config.shutdown.timeout, made.failed);
  try {
    await made.start();
  } catch (error) {
    if (!end.isUnderWay) {
      await made.stop().catch(() => {});
      throw error;
    }
  }
  if (end.isUnderWay) {
    await end.done;
    return;
  }
  const { message, ...fields } = made.ready;
  logger.info({ version, ...fields }, message);
  await end.done;
}

function complain(error: unknown, isUsage: (error: unknown) => boolean): void {
  const known =
    error instanceof ConfigError ||
    error instanceof DataFolderError ||
    (error instanceof Error && "code" in error) ||
    isUsage(error);
  if (known) process.stderr.write(`canopy: ${(error as Error).message}\n`);
  else process.stderr.write(`canopy: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = known ? EXIT_USAGE : 1;
}
