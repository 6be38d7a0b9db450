// What the tests use that npm does not bring: mosquitto_pub and mosquitto_sub, as clients that
// share no code with this project.

import { spawnSync } from "node:child_process";

/** @param {string} command */
function exists(command) {
  return spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
}

function hasClients() {
  return exists("mosquitto_pub") && exists("mosquitto_sub");
}

/** Installs them on Debian as root. Where that fails the tests skip, but in CI that is a failure. */
export function prepareMosquittoClients() {
  if (hasClients()) return;
  if (process.platform === "linux" && process.getuid?.() === 0 && exists("apt-get")) {
    console.error("Installing mosquitto and mosquitto-clients for the tests ...");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const install = "apt-get update && apt-get install -y --no-install-recommends";
    const result = spawnSync("sh", ["-c", `${install} mosquitto mosquitto-clients`], {
      encoding: "utf8",
      env,
    });
    if (result.status !== 0) process.stderr.write(`${result.stdout}${result.stderr}`);
    if (hasClients()) return;
  }
  console.error(
    "*** mosquitto_pub and mosquitto_sub are missing: TESTS THAT USE THEM ARE SKIPPED ***",
  );
  if (process.env["CI"] === "true") {
    console.error("*** CI needs them: install the package mosquitto-clients ***");
    process.exit(1);
  }
}
