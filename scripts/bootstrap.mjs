// Runs a command with everything it needs: `node scripts/bootstrap.mjs <command> [args...]`.
//
// A fresh clone on a machine with Node 20 and npm is enough: this installs the dependencies (which
// bring Node 24 along) and runs the command with Node 24 and node_modules/.bin first in PATH.
// It is plain JavaScript and uses only what Node 20 has, because it runs before Node 24 is there.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, "node_modules", ".canopy-install");

/** A digest of every file that decides what node_modules must contain. */
function wantedStamp() {
  const files = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
  for (const group of ["packages", "services"]) {
    for (const name of readdirSync(join(root, group)).sort()) {
      files.push(join(group, name, "package.json"));
    }
  }
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}`);
  for (const file of files) {
    const path = join(root, file);
    if (existsSync(path)) hash.update(`\0${file}\0`).update(readFileSync(path));
  }
  return hash.digest("hex");
}

function installIfNeeded() {
  const stamp = wantedStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  console.error("Installing dependencies ...");
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const args = ["--yes", packageManager, "install", "--frozen-lockfile"];
  const result = spawnSync("npx", args, { cwd: root, encoding: "utf8" });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
    console.error(
      `Failed: npx ${args.join(" ")}${result.error ? `: ${result.error.message}` : ""}`,
    );
    process.exit(1);
  }
  writeFileSync(stampFile, stamp);
}

/** The folder of a `node` that can run this project, to be put first in PATH. */
function nodeFolder() {
  const packaged = join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin");
  if (existsSync(join(packaged, "node"))) return packaged;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return dirname(process.execPath);
  console.error(
    `Canopy needs Node 24 (at least 22.18). This is ${process.version}, and npm has no Node 24 ` +
      `package for ${process.platform}-${process.arch}: please install it from https://nodejs.org.`,
  );
  process.exit(1);
}

/**
 * Runs the command and passes signals on, so that it sees each request to stop once: npm repeats
 * what the terminal has already sent, and a broker takes a second signal for "stop at once".
 *
 * Scripts start this with `exec`, because not every sh does it by itself: one that stays between
 * npm and this process dies of npm's SIGTERM without passing it on.
 * @param {string} command
 * @param {string[]} args
 */
function run(command, args) {
  const bin = join(root, "node_modules", ".bin");
  const path = [nodeFolder(), bin, process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: "1" };
  const child = spawn(command, args, { stdio: "inherit", env });

  // Ctrl-C goes to every process of the terminal's foreground group, so the child has it already.
  const onTerminal = process.stdin.isTTY === true;
  /** @type {Map<NodeJS.Signals, number>} */
  const lastSeen = new Map();
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      const now = performance.now();
      const isRepeat = now - (lastSeen.get(signal) ?? -Infinity) < 1_000;
      lastSeen.set(signal, now);
      if (!isRepeat && !(onTerminal && signal !== "SIGTERM")) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`Cannot run ${command}: ${error.message}`);
    process.exit(127);
  });
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + constants.signals[signal ?? "SIGTERM"]);
  });
}

const [command, ...args] = process.argv.slice(2);
installIfNeeded();
if (command !== undefined) run(command, args);
