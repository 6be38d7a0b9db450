/** A session node's command line: reads arguments, environment and files; nothing else does. */
import { orComplain, runMain } from "@canopy/main";
import { adminCommand } from "@canopy/main/admin";
import { raftCommand } from "@canopy/raft";
import { compose } from "./process.ts";

async function main(): Promise<void> {
  const [command, ...rest] = process.argv.slice(2);
  if (command === "raft") {
    process.exitCode = await raftCommand(rest, process);
    return;
  }
  if (command === "admin") {
    process.exitCode = await adminCommand(rest, process);
    return;
  }
  const argv = process.argv.slice(2);
  await runMain({ role: "session", argv, env: process.env, compose });
}

await orComplain(main);
