import { rmSync } from "node:fs";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;

/** The top of the repository. */
export const root: string = fileURLToPath(new URL("../../..", import.meta.url));

/** The system's temporary folder, unless that is in memory: what is synced must reach a disk. */
async function diskFolder(): Promise<string> {
  const { type } = await statfs(tmpdir());
  return type === TMPFS || type === RAMFS ? join(root, "node_modules") : tmpdir();
}

const folders = new Set<string>();

process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** Runs the work with a folder that is removed afterwards, also when a signal ends this process. */
export async function withTempFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(await diskFolder(), "canopy-bench-"));
  folders.add(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    folders.delete(folder);
  }
}
