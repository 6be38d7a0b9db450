// What the tests use that npm does not bring: mosquitto_pub and mosquitto_sub, as clients that
// share no code with this project.

import { spawnSync } from "node:child_process";

/** @param {string} command */
function exists(command) {
  return spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
}

function hasMosquitto() {
  return exists("mosquitto_pub") && exists("mosquitto_sub");
}

/** Makes sure that the clients are there, on Debian as root by installing them. False if not. */
export function installMosquitto() {
  if (hasMosquitto()) return true;
  if (process.platform === "linux" && process.getuid?.() === 0 && exists("apt-get")) {
    console.error("Installing mosquitto and mosquitto-clients for the tests ...");
    const install = "apt-get update && apt-get install -y --no-install-recommends";
    const result = spawnSync("sh", ["-c", `${install} mosquitto mosquitto-clients`], {
      encoding: "utf8",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
    if (result.status !== 0) process.stderr.write(`${result.stdout}${result.stderr}`);
    if (hasMosquitto()) return true;
  }
  console.error(
    "*** mosquitto_pub and mosquitto_sub are missing: TESTS THAT USE THEM ARE SKIPPED ***",
  );
  return false;
}
