import { type FileHandle, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export class FileLocked extends Error {
  override readonly name = "FileLocked";
  readonly lock: string;

  constructor(lock: string) {
    super(`${lock} exists: another command is changing this file, or was interrupted`);
    this.lock = lock;
  }
}

const newFileMode = 0o600;
const retryAfter = 20;

/**
 * Replaces a file's content by what `change` makes of it (undefined: there is no file yet), so that
 * a reader or a power failure finds the old content or the new one, and never a part.
 *
 * The new content is written to FILE.lock, which only one process can create, so two changes at
 * the same time wait for each other and none is lost. Nothing happens if `change` throws. A file
 * keeps its owner and its mode, but nobody outside its group may read it afterwards.
 */
export async function replaceFile(
  file: string,
  change: (text: string | undefined) => string,
  lockTimeout = 5000,
): Promise<void> {
  const path = (await ifThere(realpath(file))) ?? file;
  const lock = `${path}.lock`;
  const handle = await openLock(lock, lockTimeout);
  try {
    await using(handle, async () => {
      const old = await ifThere(readFile(path, "utf8"));
      await handle.writeFile(change(old));
      if (old !== undefined) await keepOwner(path, handle);
      await handle.sync();
    });
    await rename(lock, path);
  } catch (error) {
    await rm(lock, { force: true });
    throw error;
  }
  // The rename is on disk when the directory is.
  const directory = await open(dirname(path), "r");
  await using(directory, () => directory.sync());
}

async function openLock(lock: string, timeout: number): Promise<FileHandle> {
  for (let waited = 0; ; waited += retryAfter) {
    try {
      return await open(lock, "wx", newFileMode);
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
      if (waited >= timeout) throw new FileLocked(lock);
      await pause(retryAfter);
    }
  }
}

async function keepOwner(path: string, handle: FileHandle): Promise<void> {
  const [old, now] = await Promise.all([stat(path), handle.stat()]);
  if (old.uid !== now.uid || old.gid !== now.gid) await handle.chown(old.uid, old.gid);
  await handle.chmod(old.mode & 0o770);
}

async function using<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await handle.close();
  }
}

async function ifThere<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
