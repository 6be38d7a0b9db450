import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Scope, tempDir } from "@canopy/testkit";

const run = promisify(execFile);

const type = ["-t", "tmpfs"];

/** Whether this process may mount one: root may, but not in every container. */
export function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const path = mkdtempSync(join(tmpdir(), "canopy-test-"));
  try {
    execFileSync("mount", [...type, "-o", "size=1m", "canopy-test", path], { stdio: "ignore" });
    execFileSync("umount", [path]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(path);
  }
}

/** A disk of its own, in memory, that can be filled and emptied. */
export class SmallDisk {
  readonly path: string;
  readonly #ballast: string;

  private constructor(path: string) {
    this.path = path;
    this.#ballast = join(path, "ballast");
  }

  static async mount(megabytes: number, scope: Scope): Promise<SmallDisk> {
    const path = await tempDir(scope);
    await run("mount", [...type, "-o", `size=${megabytes}m`, "canopy-test", path]);
    scope.defer(() => run("umount", ["--lazy", path]));
    return new SmallDisk(path);
  }

  async free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Leaves not one block, whatever the broker writes meanwhile. */
  async fill(): Promise<void> {
    const file = await open(this.#ballast, "a");
    try {
      for (let size = 1 << 20; size >= 512; ) {
        try {
          await file.write(Buffer.alloc(size, 1));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          size /= 2;
        }
      }
    } finally {
      await file.close();
    }
  }

  async makeRoom(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }
}
