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

/** Returns what gives it up. Throws a StorageError if somebody has it, or it can't be had. */
export function lockDirectory(directory: string): () => void {
  const file = join(directory, NAME);
  let database: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(file);
    database = opened;
    // A journal in a file would need room, and a full disk is no reason not to start.
    opened.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return () => opened.close();
  } catch (cause) {
    database?.close();
    throw refusal(directory, file, cause);
  }
}

function refusal(directory: string, file: string, cause: unknown): StorageError {
  const { errcode, message } = cause as { errcode?: number; message: string };
  const why =
    errcode === BUSY
      ? `${directory} is in use by another process: stop that one first`
      : `${file} can't be locked: ${message} (it has to be an empty file that this user may read ` +
        "and write, on a file system with fcntl locks; it may be removed while no process uses the folder)";
  return new StorageError(why, { code: "locked", file, cause });
}
