/** Commands on their way through the group, and its answers as results or errors. */
import {
  type Command,
  ControlError,
  encodeCommand,
  type Results,
  type Version,
} from "@canopy/control";
import type { RaftGroup } from "@canopy/raft";
import { notLeader, unavailable } from "./errors.ts";
import { Failure, type Outcome } from "./replica.ts";

/** What a command answered, and the version that the state had after it. */
export interface Committed<R> {
  readonly result: R;
  readonly version: Version;
}

/**
 * Settles when the command is committed and applied. Rejects with a ControlError; `indeterminate` may
 * still be applied, before everything that is proposed after that answer. Each may be proposed again.
 */
export type Propose = <C extends Command>(command: C) => Promise<Committed<Results[C["type"]]>>;

export async function propose<C extends Command>(
  group: RaftGroup,
  command: C,
): Promise<Committed<Results[C["type"]]>> {
  const answer = await group.propose(encodeCommand(command));
  switch (answer.type) {
    case "committed": {
      const outcome = answer.result as Outcome;
      if (outcome instanceof Failure) throw outcome.error;
      return outcome as Committed<Results[C["type"]]>;
    }
    case "notLeader":
      throw notLeader(answer.node);
    case "overloaded":
      throw unavailable("too many control commands wait");
    case "indeterminate":
      throw new ControlError("indeterminate", "it is not known whether it will be done");
    case "unavailable":
      throw unavailable(`control log: ${answer.message}`);
    case "repeated":
    case "gap":
      throw new Error(`answer to a command with an origin: ${answer.type}`);
  }
}
