/** What leaders of session groups ask of a store process: both sides. */
import type { Logger, Random, Timers } from "@canopy/base";
import type { RouteSink } from "@canopy/session";
import type { RpcChannel } from "../channel.ts";
import { decodeMessage, encodeMessage } from "../definition.ts";
import { Routes as Service } from "../gen/canopy/store/v1/routes_pb.ts";
import { CallerSchema } from "../gen/canopy/stream/v1/request_pb.ts";
import type { Handlers } from "../handlers.ts";
import { DEADLINE_MS } from "../limits.ts";
import { fromOffset, toBigints, toNumbers, toOffset } from "../numbers.ts";
import { answering } from "../requests/answering.ts";
import { Callers, createCaller } from "../requests/callers.ts";
import { Requests } from "../requests/requests.ts";
import { asSinkError } from "./errors.ts";
import { encodeRoutes, encodeWill, RouteRequests } from "./route-messages.ts";

export interface RoutesOverOptions {
  /** How long an answer about heads and ended sessions may take, ms. */
  readonly deadline?: number;
  /** … about routes and wills. */
  readonly requestDeadline?: number;
  /** What may wait for credit, in bytes; beyond it is `overloaded`. */
  readonly maxWaiting?: number;
  readonly timers?: Timers;
  readonly random?: Random;
}

const REQUEST_DEADLINE_MS = 30_000;
const MAX_WAITING: number = 64 << 20;
/** What a change costs beside its filter, in bytes. */
const CHANGE_BYTES = 8;

/** One store process's port RouteSink, for all groups that this node leads. */
export function routesOver(channel: RpcChannel, options: RoutesOverOptions = {}): RouteSink {
  const { deadline = DEADLINE_MS } = options;
  const caller = createCaller(options.random);
  const requests = new Requests({
    channel,
    method: Service.method.routeRequests,
    opening: () => encodeMessage(CallerSchema, caller()),
    deadline: options.requestDeadline ?? REQUEST_DEADLINE_MS,
    maxWaiting: options.maxWaiting ?? MAX_WAITING,
    timers: options.timers,
  });
  const { routeHeads, sessionsEnded } = Service.method;
  return {
    heads: async () => {
      const { heads } = await typed(channel.call(routeHeads, {}, { deadline }));
      return heads.map(fromOffset);
    },
    routes: (batch) => {
      let bytes = 0;
      for (const { filter } of batch.changes) bytes += filter.length + CHANGE_BYTES;
      return typed(requests.request(encodeRoutes(batch), bytes));
    },
    publishWill: (will) => {
      const message = encodeWill(will);
      return typed(requests.request([message], message.length));
    },
    sessionsEnded: async (incarnations) => {
      const request = { incarnations: toBigints(incarnations) };
      await typed(channel.call(sessionsEnded, request, { deadline }));
    },
  };
}

async function typed<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw asSinkError(error);
  }
}

export function routesHandlers(sink: RouteSink, logger: Logger): Handlers<typeof Service> {
  const callers = new Callers();
  return {
    routeHeads: async () => ({ heads: (await sink.heads()).map(toOffset) }),
    routeRequests: (bytes, stream) => {
      const leave = callers.enter(decodeMessage(CallerSchema, bytes), "", stream);
      const requests = new RouteRequests(sink);
      return answering(stream, (message) => requests.take(message), logger, leave);
    },
    sessionsEnded: async ({ incarnations }) => {
      await sink.sessionsEnded(toNumbers(incarnations));
      return {};
    },
  };
}
