// `npm test`: prepares what the tests use from outside, then runs vitest with the given arguments.

import { spawnSync } from "node:child_process";
import { installMosquitto } from "./test-deps.mjs";

const isReady = installMosquitto();
const result = spawnSync("vitest", ["run", ...process.argv.slice(2)], { stdio: "inherit" });

// On a developer's machine the tests that need mosquitto skip; CI must not pass without them.
const isAcceptable = isReady || process.env["CI"] !== "true";
if (!isAcceptable) console.error("*** CI needs mosquitto_pub and mosquitto_sub: failed ***");
process.exit(result.status === 0 && !isAcceptable ? 1 : (result.status ?? 1));
