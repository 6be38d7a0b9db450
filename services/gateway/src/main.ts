/** A gateway's command line: reads arguments, environment and files; nothing else does. */
import { PasswordFileError } from "@canopy/auth";
import { runMain } from "@canopy/main";
import { ListenError } from "./listeners/listeners.ts";
import { compose } from "./process.ts";

const argv = process.argv.slice(2);
const isUsage = (error: unknown): boolean =>
  error instanceof ListenError || error instanceof PasswordFileError;
await runMain({ role: "gateway", argv, env: process.env, compose, isUsage });
