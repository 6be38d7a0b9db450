import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, withTempFolder } from "../temp-folder.ts";

function git(...args: readonly string[]): string {
  return execFileSync("git", [...args], { cwd: root, encoding: "utf8" }).trim();
}

/** The commit before what is in the tree: HEAD if that has changes, otherwise the one before it. */
export function defaultBase(): string {
  const changes = git(
    "status",
    "--porcelain",
    "--untracked-files=no",
    "--",
    "packages",
    "services",
  );
  return changes === "" ? "HEAD~1" : "HEAD";
}

export function describeRevision(revision: string): string {
  return git("log", "-1", "--format=%h %s", revision);
}

/** Runs the work with the files of the revision and their dependencies, in a temporary folder. */
export async function withCheckout<T>(
  revision: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const commit = git("rev-parse", "--verify", `${revision}^{commit}`);
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
  execFileSync("npx", [...args, "--prefer-offline"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
}
