/** What the service's callers are told when it can't do what they ask. */
import { SessionError } from "@canopy/session";

export function notLeader(leader: string | undefined): SessionError {
  const who = leader === undefined ? "no node is known to lead" : `${leader} leads`;
  return new SessionError("not-leader", `${who} the sessions`, { leader });
}

export function indeterminate(): SessionError {
  return new SessionError("indeterminate", "it is not known whether it will be done");
}

/** The group has ended here: until a restart nothing is answered any more. */
export function ended(reason: string): SessionError {
  return new SessionError("closed", `the sessions can't be served: ${reason}`);
}

export function stopped(): SessionError {
  return new SessionError("closed", "the session service is not running");
}

export function isStale(error: unknown): boolean {
  return error instanceof SessionError && error.code === "stale";
}

export function isIndeterminate(error: unknown): boolean {
  return error instanceof SessionError && error.code === "indeterminate";
}
