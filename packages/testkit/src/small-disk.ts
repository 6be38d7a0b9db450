import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Scope, testScope } from "./scope.ts";
import { tempDir } from "./temp-dir.ts";

const run = promisify(execFile);
const PIECE: number = 1 << 20;
const MOUNT = "/bin/mount";
const UNMOUNT = "/bin/umount";

/** A disk of its own, in memory, that can be filled and emptied. */
export class SmallDisk {
  readonly path: string;
  readonly #ballast: string;

  private constructor(path: string) {
    this.path = path;
    this.#ballast = join(path, "ballast");
  }

  /** Whether this process may: root may, but not in every container. In CI it is an error if root may not. */
  static canMount(): boolean {
    if (process.getuid?.() !== 0) return false;
    const path = mkdtempSync(join(tmpdir(), "canopy-test-"));
    try {
      execFileSync(MOUNT, mountOf(PIECE, path), { stdio: "ignore" });
      execFileSync(UNMOUNT, [path]);
      return true;
    } catch (error) {
      if (process.env["CI"] === "true") throw error;
      return false;
    } finally {
      rmdirSync(path);
    }
  }

  static async mount(bytes: number, scope: Scope = testScope()): Promise<SmallDisk> {
    const path = await tempDir(scope);
    await run(MOUNT, mountOf(bytes, path));
    scope.defer(() => run(UNMOUNT, ["--lazy", path]));
    return new SmallDisk(path);
  }

  /** In bytes. */
  async free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Leaves so many bytes; with none, not one block, whatever others write meanwhile. */
  async fill(left = 0): Promise<void> {
    const file = await open(this.#ballast, "a");
    try {
      for (let size = PIECE; size >= 512; ) {
        const room = left === 0 ? size : Math.min(size, (await this.free()) - left);
        if (room <= 0) return;
        try {
          await file.write(Buffer.alloc(room, 1));
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

function mountOf(bytes: number, path: string): string[] {
  return ["-t", "tmpfs", "-o", `size=${bytes}`, "canopy-test", path];
}
