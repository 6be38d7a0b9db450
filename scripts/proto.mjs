// The wire contracts: generates packages/rpc/src/gen from proto/. With --check it lints them, looks
// for what would break processes that speak the contracts of the commit before, and compares.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const contracts = join(root, "proto");
const generated = "packages/rpc/src/gen";

/** @param {string} command @param {string[]} args @param {string} cwd */
function run(command, args, cwd) {
  return spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 1 << 28 });
}

/** Says what went wrong. @param {string[]} args */
function buf(...args) {
  const { status, stdout, stderr, error } = run("buf", args, contracts);
  if (status === 0) return;
  console.error(`buf ${args[0]}:\n${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`);
  process.exitCode = 1;
}

/** @param {string[]} args */
function git(...args) {
  return run("git", args, root);
}

/** The commit whose contracts come before those here; undefined: none is known. */
function before() {
  const isChanged = git("status", "--porcelain", "--", "proto").stdout.trim() !== "";
  const commit = isChanged ? "HEAD" : "HEAD~";
  return git("cat-file", "-e", `${commit}:proto`).status === 0 ? commit : undefined;
}

/** @param {string} folder */
function breaking(folder) {
  const commit = before();
  if (commit === undefined) {
    console.log("No earlier contracts are known: nothing to compare with.");
    return;
  }
  mkdirSync(folder);
  const archive = spawnSync("git", ["archive", commit, "proto"], { cwd: root, maxBuffer: 1 << 28 });
  spawnSync("tar", ["-x", "-C", folder], { input: archive.stdout });
  buf("breaking", "--against", join(folder, "proto"));
}

/** Every file below, with its text. @param {string} folder */
function textsOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${file.slice(folder.length)}\n${readFileSync(file, "utf8")}`)
    .join("\n");
}

/** @param {string} folder */
function compare(folder) {
  const template = join(folder, "buf.gen.yaml");
  const out = join(folder, "gen");
  const text = readFileSync(join(contracts, "buf.gen.yaml"), "utf8");
  writeFileSync(template, text.replace(`../${generated}`, out));
  buf("generate", "--template", template);
  if (process.exitCode === 1 || textsOf(out) === textsOf(join(root, generated))) return;
  console.error(`${generated} is not what proto/ says: run npm run proto`);
  process.exitCode = 1;
}

if (process.argv.includes("--check")) {
  const folder = mkdtempSync(join(tmpdir(), "canopy-proto-"));
  try {
    buf("lint");
    breaking(join(folder, "before"));
    compare(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
} else {
  buf("generate");
}
