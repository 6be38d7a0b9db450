/** What a service holds of a group: what it asks is taken or refused here. */
import type { RaftCore } from "../core/port.ts";
import type { ReplicaId } from "../core/types.ts";
import type { GroupId } from "../storage/port.ts";
import { encodeCommand, encodeEndClient } from "./command.ts";
import { PATIENCE } from "./limits.ts";
import type { Membership } from "./membership.ts";
import type { Peers } from "./peers.ts";
import type {
  Answer,
  GroupStatus,
  MembersAnswer,
  Origin,
  RaftGroup,
  ReadAnswer,
  RequestedChange,
} from "./port.ts";
import type { Proposals } from "./proposals.ts";
import type { Reads } from "./reads.ts";
import type { Replies } from "./replies.ts";
import { groupStatus } from "./status.ts";
import type { Surroundings } from "./surroundings.ts";

type Unavailable = Extract<Answer, { type: "unavailable" }>;

export interface HandleParts {
  readonly core: RaftCore;
  readonly peers: Peers;
  readonly replies: Replies;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly membership: Membership;
  readonly asleep: () => boolean;
  /** Why the group does not run any more. */
  readonly ended: () => string | undefined;
  /** Something is asked: it must not sleep, and has its turn. */
  readonly stir: () => void;
  readonly touch: () => void;
}

export class GroupHandle implements RaftGroup {
  readonly id: GroupId;
  readonly #parts: HandleParts;
  readonly #around: Surroundings;

  constructor(id: GroupId, parts: HandleParts, around: Surroundings) {
    this.id = id;
    this.#parts = parts;
    this.#around = around;
  }

  get status(): GroupStatus {
    const { core, peers, asleep } = this.#parts;
    return groupStatus(this.id, core, peers, asleep());
  }

  propose(command: Uint8Array, origin?: Origin): Promise<Answer> {
    return this.#propose(() => encodeCommand(command, origin));
  }

  endClient(client: number): Promise<Answer> {
    return this.#propose(() => encodeEndClient(client));
  }

  read(): Promise<ReadAnswer> {
    const { reads, stir, touch } = this.#parts;
    const unavailable = this.#hasEnded();
    if (unavailable !== undefined) return Promise.resolve(unavailable);
    stir();
    touch();
    return reads.add(this.#around.ticks);
  }

  changeMembers(changes: readonly RequestedChange[]): Promise<MembersAnswer> {
    const unavailable = this.refusesWrites();
    if (unavailable !== undefined) return Promise.resolve(unavailable);
    return this.#members((membership) => membership.change(changes));
  }

  transferLeadership(to: ReplicaId): Promise<MembersAnswer> {
    const unavailable = this.#hasEnded();
    if (unavailable !== undefined) return Promise.resolve(unavailable);
    const endsAt = this.#around.ticks + PATIENCE * this.#around.options.electionTicks;
    return this.#members((membership) => membership.transfer(to, endsAt));
  }

  /** Undefined where something can be written. */
  refusesWrites(): Unavailable | undefined {
    const ended = this.#hasEnded();
    if (ended !== undefined) return ended;
    const { diskFailure } = this.#around;
    if (diskFailure === undefined) return undefined;
    return { type: "unavailable", message: `the disk fails: ${diskFailure.message}` };
  }

  #propose(encode: () => Uint8Array): Promise<Answer> {
    const unavailable = this.refusesWrites();
    if (unavailable !== undefined) return Promise.resolve(unavailable);
    const { core, proposals, replies, stir, touch } = this.#parts;
    stir();
    if (core.role !== "leader") return Promise.resolve(replies.notLeader());
    touch();
    return proposals.add(encode());
  }

  #members(begin: (membership: Membership) => Promise<MembersAnswer>): Promise<MembersAnswer> {
    const { membership, stir, touch } = this.#parts;
    stir();
    touch();
    return begin(membership);
  }

  #hasEnded(): Unavailable | undefined {
    const why = this.#parts.ended();
    return why === undefined ? undefined : { type: "unavailable", message: why };
  }
}
