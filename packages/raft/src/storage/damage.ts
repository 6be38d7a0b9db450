/** What a start that would lose something is refused with. */
import type { LogIndex } from "../core/types.ts";
import { StorageError } from "./port.ts";

const PUT_BACK =
  "put the file back from a copy, or remove this replica from its groups and start with an empty folder under a new replica id";

export function damaged(file: string, offset: number, what: string, cause?: unknown): StorageError {
  const because = cause instanceof Error ? `: ${cause.message}` : "";
  const message = `${file}, offset ${offset}: ${what}${because} (${PUT_BACK}; docs/raft-log.md)`;
  return new StorageError(message, { code: "damaged", file, offset, cause });
}

export function missing(file: string, what: string): StorageError {
  const message = `${file}: ${what} (${PUT_BACK}; docs/raft-log.md)`;
  return new StorageError(message, { code: "missing", file });
}

/** A snapshot under the name of another. */
export function misnamed(file: string, index: LogIndex): StorageError {
  return damaged(file, 0, `it is of index ${index}`);
}

export function newer(file: string, offset: number, version: number, known: number): StorageError {
  const message =
    `${file}, offset ${offset}: format ${version}, this program knows up to ${known} ` +
    "(start a newer version of the program; docs/raft-log.md)";
  return new StorageError(message, { code: "newer", file, offset });
}
