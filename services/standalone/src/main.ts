/** The standalone broker's command line: reads arguments, environment and files; nothing else does. */
import { readFileSync } from "node:fs";
import { PasswordFileError, passwdCommand } from "@canopy/auth";
import {
  ConfigError,
  helpText,
  type LoadedConfig,
  loadConfig,
  requestedAction,
} from "@canopy/config";
import { ListenError } from "@canopy/gateway";
import { raftCommand } from "@canopy/raft";
import { createLogger } from "@canopy/telemetry";
import { banner } from "./banner.ts";
import { compose } from "./compose.ts";
import { DataFolderError } from "./data-folder.ts";
import { endOnSignals } from "./signals.ts";
import { version } from "./version.ts";

/** What is wrong with what was asked for, rather than with the broker. */
const EXIT_USAGE = 2;

const argv = process.argv.slice(2);

async function main(): Promise<void> {
  if (argv[0] === "passwd") {
    const { stdin, stdout, stderr } = process;
    process.exitCode = await passwdCommand(argv.slice(1), { stdin, stdout, stderr });
    return;
  }
  if (argv[0] === "raft") {
    process.exitCode = await raftCommand(argv.slice(1), process);
    return;
  }
  const action = requestedAction(argv);
  if (action === "help") process.stdout.write(helpText());
  else if (action === "version") process.stdout.write(`canopy ${version}\n`);
  else await run(readConfig());
}

function readConfig(): LoadedConfig {
  const readFile = (path: string): string => readFileSync(path, "utf8");
  // oxlint-disable-next-line node/no-process-env -- this is the one place that reads it
  return loadConfig({ argv, env: process.env, readFile });
}

async function run({ config, warnings }: LoadedConfig): Promise<void> {
  // whoever read the log has gone, or its disk is full: lines are lost, the broker goes on
  process.stdout.on("error", () => {});
  const logger = createLogger(config.log, process.stdout);
  for (const warning of warnings) logger.warn({}, warning);
  const broker = compose(config, logger, version);
  const ended = endOnSignals(broker, logger, config.shutdown.timeout, broker.failed);
  try {
    await broker.start();
  } catch (error) {
    await broker.stop().catch(() => {});
    throw error;
  }
  logger.info({ version, data: config.data }, banner(broker.addresses));
  await ended;
}

function complain(error: unknown): void {
  const known =
    error instanceof ConfigError ||
    error instanceof ListenError ||
    error instanceof DataFolderError ||
    error instanceof PasswordFileError ||
    (error instanceof Error && "code" in error);
  if (known) process.stderr.write(`canopy: ${(error as Error).message}\n`);
  else process.stderr.write(`canopy: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = known ? EXIT_USAGE : 1;
}

main().catch((error: unknown) => {
  complain(error);
  // parts that did start may keep the process alive
  setImmediate(() => process.exit());
});
