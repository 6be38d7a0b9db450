/**
 * Keeps a second process out of a data folder. Node has no flock, and a file with a process id
 * outlives a kill. SQLite, which is part of Node, locks a file by fcntl: the kernel drops that at
 * death, and it holds between containers of one machine too. The file stays empty.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StorageError } from "./port.ts";

const BUSY = 5;
const NAME = "lock";

/** Returns what gives it up. Throws a StorageError if somebody has it. */
export function lockDirectory(directory: string): () => void {
  const file = join(directory, NAME);
  const database = new DatabaseSync(file);
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if ((cause as { errcode?: number }).errcode !== BUSY) throw cause;
    const message = `${directory} is in use by another process: stop that one first`;
    throw new StorageError(message, { code: "locked", file, cause });
  }
  return () => database.close();
}
