/** What store processes ask of session groups: both sides. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { systemTimers, type Timers } from "@canopy/base";
import type { QueueShard, SessionQueries } from "@canopy/session";
import type { RpcChannel } from "../channel.ts";
import type { UnaryMethod } from "../definition.ts";
import { Queries as Service } from "../gen/canopy/session/v1/queries_pb.ts";
import type { Handlers } from "../handlers.ts";
import { DEADLINE_MS } from "../limits.ts";
import { fromOffset, toBigints, toNumbers, toOffset } from "../numbers.ts";
import { asUnavailable } from "./errors.ts";
import { fetchRoutes, sendingRoutes } from "./group-routes.ts";
import { here } from "./server.ts";

export interface QueriesOverOptions {
  /** How long an answer may take, ms. */
  readonly deadline?: number;
  /** … of all routes of a group. */
  readonly routesDeadline?: number;
  readonly timers?: Timers;
}

const ROUTES_DEADLINE_MS = 30_000;

/**
 * One node's port SessionQueries for one group. What fails without a word of the other side is
 * `unavailable`: everything may be asked again.
 */
export function queriesOver(
  channel: RpcChannel,
  group: number,
  options: QueriesOverOptions = {},
): SessionQueries {
  const { deadline = DEADLINE_MS, routesDeadline = ROUTES_DEADLINE_MS } = options;
  const call = async <I extends DescMessage, O extends DescMessage>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> => {
    try {
      return await channel.call(method, request, { deadline });
    } catch (error) {
      throw asUnavailable(error);
    }
  };
  const { lowest, sharedUnfinished, areLive } = Service.method;
  const timers = options.timers ?? systemTimers;
  return {
    routes: (after) => fetchRoutes({ channel, group, after, deadline: routesDeadline, timers }),
    lowest: async (asked) => {
      const { answers } = await call(lowest, { group, asked: asked.map(toQueue) });
      return answers.map(fromOffset);
    },
    sharedUnfinished: async (asked) => {
      const { answers } = await call(sharedUnfinished, { group, asked: asked.map(toQueue) });
      return answers.map(({ offsets }) => toNumbers(offsets));
    },
    areLive: async (incarnations) => {
      return (await call(areLive, { group, incarnations: toBigints(incarnations) })).live;
    },
  };
}

/** From and to a message, which has the same fields. */
function toQueue({ filter, shard }: QueueShard): { filter: string; shard: number } {
  return { filter, shard };
}

/** @param of - a group of this node; undefined: it is not here (any more). */
export function queriesHandlers(
  of: (group: number) => SessionQueries | undefined,
): Handlers<typeof Service> {
  return {
    routes: sendingRoutes((group): SessionQueries => here(of(group), group)),
    lowest: async ({ group, asked }) => {
      const answers = await here(of(group), group).lowest(asked.map(toQueue));
      return { answers: answers.map(toOffset) };
    },
    sharedUnfinished: async ({ group, asked }) => {
      const answers = await here(of(group), group).sharedUnfinished(asked.map(toQueue));
      return { answers: answers.map((offsets) => ({ offsets: toBigints(offsets) })) };
    },
    areLive: async ({ group, incarnations }) => {
      return { live: [...(await here(of(group), group).areLive(toNumbers(incarnations)))] };
    },
  };
}
