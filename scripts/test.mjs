// `npm test`: prepares what the tests use from outside, then runs vitest with the given arguments.

import { spawnSync } from "node:child_process";
import { prepareMosquittoClients } from "./test-deps.mjs";

prepareMosquittoClients();
const { status } = spawnSync("vitest", ["run", ...process.argv.slice(2)], { stdio: "inherit" });
process.exit(status ?? 1);
