import { SessionError } from "@canopy/session";
import { StoreError } from "@canopy/store";
import { asSessionError } from "../errors.ts";

/**
 * What a failed request means that changes nothing, or may be repeated at any time: typed errors stay,
 * all else is `unavailable`.
 */
export function asUnavailable(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SessionError("unavailable", message, { cause: error });
}

/** What a failed request of the port RouteSink means: a store process has errors of its own, too. */
export function asSinkError(error: unknown): SessionError | StoreError {
  return error instanceof StoreError ? error : asSessionError(error);
}
