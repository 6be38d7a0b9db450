// The standalone broker's entry point. It will compose gateway, session and store in one process.

import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { version: { type: "boolean" } }, strict: false });
if (values["version"]) {
  process.stdout.write("canopy 0.1.0\n");
} else {
  process.stderr.write("There is no broker to start yet.\n");
  process.exitCode = 1;
}
