/** The control plane over a channel to one session node: whoever asks finds out who leads. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Control } from "@canopy/control";
import type { RpcChannel } from "../channel.ts";
import { encodeMessage, type UnaryMethod } from "../definition.ts";
import { asControlError } from "../errors.ts";
import {
  AttendOpeningSchema,
  Control as Service,
  WatchOpeningSchema,
} from "../gen/canopy/control/v1/control_pb.ts";
import { DEADLINE_MS } from "../limits.ts";
import { follow, tell } from "./following.ts";
import { toAnnouncement, toBan, toBanKey, toJoin, toWish } from "./values.ts";

export interface ControlOverOptions {
  /** How long an answer may take, ms. */
  readonly deadline?: number;
  /** … to a renewal: well below the lease, so that there is time for another. */
  readonly renewDeadline?: number;
  /** … to inForce(): above a lease. */
  readonly inForceDeadline?: number;
}

const RENEW_DEADLINE_MS = 1_000;
const IN_FORCE_DEADLINE_MS = 15_000;

/** One node's port Control. Calls fail as asControlError() says. */
export function controlOver(channel: RpcChannel, options: ControlOverOptions = {}): Control {
  const { deadline = DEADLINE_MS } = options;
  const call = async <I extends DescMessage, O extends DescMessage>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
    within: number = deadline,
  ): Promise<MessageShape<O>> => {
    try {
      return await channel.call(method, request, { deadline: within });
    } catch (error) {
      throw asControlError(error);
    }
  };
  const versionOf = async (answer: Promise<{ readonly version: bigint }>): Promise<number> =>
    Number((await answer).version);
  const { method } = Service;
  return {
    join: async (request) => {
      const { incarnation, lease } = await call(method.join, toJoin(request));
      return { incarnation: Number(incarnation), lease: Number(lease) };
    },
    renew: async ({ incarnation, acknowledged }) => {
      const renewal = { incarnation: BigInt(incarnation), acknowledged: BigInt(acknowledged) };
      await call(method.renew, renewal, options.renewDeadline ?? RENEW_DEADLINE_MS);
    },
    leave: async (incarnation) => {
      await call(method.leave, { incarnation: BigInt(incarnation) });
    },
    attend: (incarnation, sink) => {
      const opening = encodeMessage(AttendOpeningSchema, { incarnation: BigInt(incarnation) });
      const ended = sink.ended.bind(sink);
      return follow(channel, { method: method.attend, opening, deadline, onMessage, ended });
    },
    watch: (after, sink) => {
      const opening = encodeMessage(WatchOpeningSchema, { after: BigInt(after) });
      const ended = sink.ended.bind(sink);
      const told = (message: Buffer): void => tell(sink, message);
      return follow(channel, { method: method.watch, opening, deadline, onMessage: told, ended });
    },
    reopen: async (incarnation, shard) => {
      const answer = await call(method.reopen, { incarnation: BigInt(incarnation), shard });
      return Number(answer.epoch);
    },
    ban: (ban) => versionOf(call(method.ban, { ban: toBan(ban) })),
    unban: (kind, value) => versionOf(call(method.unban, { ban: toBanKey({ kind, value }) })),
    announce: async (node) => {
      const { version, replica } = await call(method.announce, toAnnouncement(node));
      return { version: Number(version), replica: Number(replica) };
    },
    accuse: async (gateway) => {
      await call(method.accuse, { incarnation: BigInt(gateway) });
    },
    wish: (wish) => versionOf(call(method.wish, toWish(wish))),
    inForce: async (version) => {
      const within = options.inForceDeadline ?? IN_FORCE_DEADLINE_MS;
      await call(method.inForce, { version: BigInt(version) }, within);
    },
  };
}

/** An attendance brings nothing. */
function onMessage(): void {}
