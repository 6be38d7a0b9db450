/** Commands on their way through the group, and its answers as results or errors. */

import type { Answer, RaftGroup } from "@canopy/raft";
import { type Command, encodeCommand, type Results, SessionError } from "@canopy/session";
import { indeterminate, notLeader } from "./errors.ts";
import type { GroupClock } from "./group-clock.ts";
import { Failure } from "./replica.ts";

type Untimed<C> = C extends unknown ? Omit<C, "at"> : never;

/** A command without its time, which it gets when it is proposed. */
export type Proposal = Untimed<Command>;

/**
 * Settles when the command is committed and applied. Rejects with a SessionError.
 *
 * What is `indeterminate` may still be applied, but then it is in the log before everything that is
 * proposed after that answer, also by a later leader. And applied twice in a row every command does what
 * it does once (packages/session, repeated.test.ts). So who needs it done proposes it again, and no
 * table of what was applied is kept (`Origin` of the group). What each caller does:
 *
 * - progress, deliveries, release, gateway-down, tick, expire, fire-will, will-done, ended-cleaned:
 *   again, until it is committed. Deliveries of one session must not pass each other: what is repeated
 *   is repeated before anything later is asked. Progress and releases may, as offsets only grow and a
 *   release says all.
 * - members: again, with what the control log says by then; one of a version that is known does nothing.
 * - open: the claim fails, and what it may have opened is released (leading.ts). Who asked may ask again
 *   under the same request id, here or of the next leader: the session remembers the id of the open that
 *   it was opened by while a gateway has it, so the same open is answered as before and takes nothing
 *   over. Who gives up says so (withdraw).
 * - subscribe, unsubscribe: may be asked again as long as nothing else about the session was asked since.
 *   They need no id: a subscription that is there keeps where it began, one that is gone stays gone. Only
 *   `existed` and the answers of unsubscribe may be those of the repetition. A gateway that does not ask
 *   again closes the connection instead of answering.
 */
export type Propose = <P extends Proposal>(proposal: P) => Promise<Results[P["type"]]>;

export async function propose<P extends Proposal>(
  group: RaftGroup,
  clock: GroupClock,
  proposal: P,
): Promise<Results[P["type"]]> {
  const command = { ...proposal, at: clock.now() } as unknown as Command;
  const result = resultOf(await group.propose(encodeCommand(command)));
  if (result instanceof Failure) throw result.error;
  return result as Results[P["type"]];
}

function resultOf(answer: Answer): unknown {
  switch (answer.type) {
    case "committed":
      return answer.result;
    case "notLeader":
      throw notLeader(answer.node);
    case "overloaded":
      throw new SessionError("overloaded", "too many session commands wait");
    case "indeterminate":
      throw indeterminate();
    case "unavailable":
      throw new SessionError("unavailable", `session log: ${answer.message}`);
    case "repeated":
    case "gap":
      throw new Error(`answer to a command with an origin: ${answer.type}`);
  }
}
