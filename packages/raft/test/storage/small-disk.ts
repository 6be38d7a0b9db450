/** A file system with little room, for what happens when there is none left. */
import { execFileSync } from "node:child_process";
import { statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir, testScope } from "@canopy/testkit";

const MOUNT = "/bin/mount";
const UNMOUNT = "/bin/umount";

export interface SmallDisk {
  readonly path: string;
  /** Takes all the room that is left but so many bytes, until the function it returns is called. */
  fill(left: number): Promise<() => Promise<void>>;
}

/** Undefined where it can't be mounted; that is an error in CI as root, which can. */
export async function smallDisk(bytes: number): Promise<SmallDisk | undefined> {
  const path = await tempDir();
  const isRoot = process.getuid?.() === 0;
  try {
    if (!isRoot) throw new Error("only root may mount");
    execFileSync(MOUNT, ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path]);
  } catch (error) {
    if (isRoot && process.env["CI"] === "true") throw error;
    console.warn(`NOT TESTED: a full disk, because a tmpfs could not be mounted: ${String(error)}`);
    return undefined;
  }
  testScope().defer(() => execFileSync(UNMOUNT, ["-l", path]));
  const ballast = join(path, "ballast");
  return {
    path,
    fill: async (left) => {
      const { bfree, bsize } = await statfs(path);
      await writeFile(ballast, Buffer.alloc(Math.max(0, bfree * bsize - left)));
      return () => writeFile(ballast, "");
    },
  };
}
