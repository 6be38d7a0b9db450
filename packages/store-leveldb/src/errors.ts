import { StoreError, type StoreErrorCode } from "@canopy/store";

/** ENOSPC, EDQUOT. classic-level passes on LevelDB's text, which ends with strerror's. */
const FULL = /no space left|quota exceeded|ENOSPC|EDQUOT/i;

/** Turns what classic-level throws into a StoreError. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  return new StoreError(code, `LevelDB: ${messageOf(error)}`, { cause: error });
}

function codeOf(error: unknown): StoreErrorCode {
  if (FULL.test(messageOf(error))) return "full";
  return levelCode(error) === "LEVEL_CORRUPTION" ? "corrupt" : "unavailable";
}

/** Opening wraps the reason as the cause. */
function reasonOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

function levelCode(error: unknown): string | undefined {
  return (reasonOf(error) as { code?: string } | undefined)?.code;
}

function messageOf(error: unknown): string {
  const reason = reasonOf(error);
  return reason instanceof Error ? reason.message : String(reason);
}

/** Whether another process, or another store of this one, has the database open. */
export function isLocked(error: unknown): boolean {
  return levelCode(error) === "LEVEL_LOCKED";
}

export function corrupt(what: string): StoreError {
  return new StoreError("corrupt", what);
}

export function closedError(what: string): StoreError {
  return new StoreError("closed", `the ${what} is closed`);
}
