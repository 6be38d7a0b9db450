import { execFileSync, type StdioOptions } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../options.ts";
import { root, withTempFolder } from "../temp-folder.ts";

/** There is nothing to compare with: no such commit here, or its dependencies can't be had. */
export class NoBase extends Error {}

/** Milliseconds; far more than linking takes. */
const LONGEST_INSTALL = 90_000;

/**
 * What the broker is made of, and nothing else. How it is started belongs to it: Node's options stand
 * in the start script (see `nodeOptions`).
 */
const BROKER = [
  "package.json",
  "scripts/bootstrap.mjs",
  "pnpm-lock.yaml",
  "packages",
  "services",
  ":(exclude)packages/bench",
  ":(exclude)packages/testkit",
  ":(exclude)**/test/**",
  ":(exclude)**/*.test.ts",
];

function git(...args: readonly string[]): string {
  return gitIn(root, ...args);
}

function gitIn(cwd: string, ...args: readonly string[]): string {
  const stdio: StdioOptions = ["ignore", "pipe", "pipe"];
  return execFileSync("git", [...args], { cwd, encoding: "utf8", stdio }).trim();
}

/**
 * The commit of a revision; without one, that before what is in the tree (see `options.base`).
 *
 * @throws UsageError where a revision is named that is not there; NoBase where none is named
 */
export function baseCommit(revision: string | undefined): string {
  try {
    return git("rev-parse", "--verify", `${revision ?? defaultBase()}^{commit}`);
  } catch (error) {
    if (revision !== undefined) throw new UsageError(`--base ${revision}: there is no such commit`);
    throw new NoBase("there is no commit before this one here", { cause: error });
  }
}

/** HEAD if the tree has changes, otherwise the one before it. */
function defaultBase(): string {
  const changes = git("status", "--porcelain", "--untracked-files=no", "--", ...BROKER);
  return changes === "" ? "HEAD~1" : "HEAD";
}

export function describeCommit(commit: string): string {
  return git("log", "-1", "--format=%h %s", commit);
}

/** Whether the broker of the tree differs from the commit's. */
export function hasChangedSince(commit: string, tree: string = root): boolean {
  return gitIn(tree, "diff", "--name-only", commit, "--", ...BROKER) !== "";
}

/** Runs the work with the files of the commit and their dependencies, in a temporary folder. */
export async function withCheckout<T>(
  commit: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  return withTempFolder(async (folder) => {
    const archive = join(folder, "tree.tar");
    const tree = join(folder, "tree");
    git("archive", "--prefix=tree/", "--output", archive, commit);
    execFileSync("tar", ["-x", "-f", archive, "-C", folder]);
    install(tree);
    return work(tree);
  });
}

/** By its own lockfile; what the store has already is only linked. */
function install(folder: string): void {
  const { packageManager } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const args = ["--yes", String(packageManager), "install", "--frozen-lockfile"];
  try {
    execFileSync("npx", [...args, "--prefer-offline"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
      timeout: LONGEST_INSTALL,
    });
  } catch (error) {
    throw new NoBase("the dependencies of the base can't be installed", { cause: error });
  }
}
