/** What callers of the control plane are told when it can't do what they ask. */
import { ControlError } from "@canopy/control";

export function notLeader(leader: string | undefined): ControlError {
  const who = leader === undefined ? "no node is known to lead" : `${leader} leads`;
  return new ControlError("not-leader", `${who} the control plane`, { leader });
}

/** The group has ended here: until a restart nothing is answered any more. */
export function groupEnded(reason: string): ControlError {
  return new ControlError("closed", `the control plane can't be served: ${reason}`);
}

export function stopped(): ControlError {
  return new ControlError("closed", "the control service is not running");
}

export function memberEnded(incarnation: number): ControlError {
  return new ControlError("ended", `the life ${incarnation} of this process has ended`);
}

export function unavailable(message: string): ControlError {
  return new ControlError("unavailable", message);
}
