/** A store process's command line: reads arguments, environment and files; nothing else does. */
import { runMain } from "@canopy/main";
import { compose } from "./process.ts";

await runMain({ role: "store", argv: process.argv.slice(2), env: process.env, compose });
