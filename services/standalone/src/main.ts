/** The standalone broker's command line: reads arguments, environment and files; nothing else does. */
import { PasswordFileError, passwdCommand } from "@canopy/auth";
import { ListenError } from "@canopy/gateway";
import { orComplain, runMain } from "@canopy/main";
import { raftCommand } from "@canopy/raft";
import { compose } from "./compose.ts";
import { composeWorkers } from "./workers.ts";

const composed: typeof compose = (config, logger, version) =>
  config.workers > 1 ? composeWorkers(config, logger) : compose(config, logger, version);

async function main(): Promise<void> {
  const [command, ...rest] = process.argv.slice(2);
  if (command === "passwd") {
    const { stdin, stdout, stderr } = process;
    process.exitCode = await passwdCommand(rest, { stdin, stdout, stderr });
  } else if (command === "raft") {
    process.exitCode = await raftCommand(rest, process);
  } else if (command === "admin") {
    // What it needs is loaded by nobody else.
    const { adminCommand } = await import("@canopy/main/admin");
    process.exitCode = await adminCommand(rest, process);
  } else {
    const argv = process.argv.slice(2);
    const isUsage = (error: unknown): boolean =>
      error instanceof ListenError || error instanceof PasswordFileError;
    await runMain({ role: "standalone", argv, env: process.env, compose: composed, isUsage });
  }
}

await orComplain(main);
