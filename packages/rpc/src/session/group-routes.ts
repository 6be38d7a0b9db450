/** All routes of a group, in parts: there may be millions, and a slow reader holds up nobody. */
import type { Timer, Timers } from "@canopy/base";
import type { GroupRoutes, SessionQueries } from "@canopy/session";
import type { RpcChannel } from "../channel.ts";
import { decodeMessage, encodeMessage } from "../definition.ts";
import { RpcError } from "../errors.ts";
import {
  Queries,
  RoutesOpeningSchema,
  type RoutesPart,
  RoutesPartSchema,
} from "../gen/canopy/session/v1/queries_pb.ts";
import type { OpenHandler } from "../handlers.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { asUnavailable } from "./errors.ts";
import { inParts } from "./parts.ts";

interface Asked {
  readonly channel: RpcChannel;
  readonly group: number;
  readonly after: number;
  /** Until the first come, and then until all are here, ms. */
  readonly deadline: number;
  readonly timers: Timers;
}

export async function fetchRoutes(asked: Asked): Promise<GroupRoutes> {
  const { channel, group, after, deadline, timers } = asked;
  const opening = encodeMessage(RoutesOpeningSchema, { group, after: BigInt(after) });
  const receiving = new Receiving();
  let timer: Timer | undefined;
  try {
    const { routes } = Queries.method;
    const stream = await channel.open(routes, { opening, handler: receiving, deadline });
    timer = timers.set(deadline, () => receiving.onLate(stream));
    receiving.begin(stream);
    return { group, ...(await receiving.whole) };
  } catch (error) {
    throw asUnavailable(error);
  } finally {
    timer?.cancel();
  }
}

class Receiving implements StreamHandler {
  readonly #done = Promise.withResolvers<Omit<GroupRoutes, "group">>();
  readonly #filters: string[] = [];
  #first: RoutesPart | undefined;
  #stream: RpcStream | undefined;
  #number = 0;

  constructor() {
    // Who waits for the stream to open is not there yet.
    this.whole.catch(() => {});
  }

  get whole(): Promise<Omit<GroupRoutes, "group">> {
    return this.#done.promise;
  }

  begin(stream: RpcStream): void {
    this.#stream = stream;
    stream.acknowledge(this.#number);
  }

  onLate(stream: RpcStream): void {
    const error = new RpcError("deadline", "the routes have not come in time");
    stream.close(error);
    this.#done.reject(error);
  }

  onMessage(message: Buffer, number: number): void {
    const part = decodeMessage(RoutesPartSchema, message);
    this.#first ??= part;
    for (const filter of part.filters) this.#filters.push(filter);
    this.#number = number;
    this.#stream?.acknowledge(number);
  }

  onClosed(error: Error | undefined): void {
    if (error !== undefined || this.#first === undefined) {
      this.#done.reject(error ?? new RpcError("internal", "there were no routes at all"));
      return;
    }
    const { term, seq } = this.#first;
    this.#done.resolve({ term: Number(term), seq: Number(seq), filters: this.#filters });
  }
}

export function sendingRoutes(of: (group: number) => SessionQueries): OpenHandler {
  return async (bytes, stream) => {
    const { group, after } = decodeMessage(RoutesOpeningSchema, bytes);
    const { term, seq, filters } = await of(group).routes(Number(after));
    const version = { term: BigInt(term), seq: BigInt(seq) };
    const parts = inParts(filters, (filter) => filter.length);
    let next = parts.next().value;
    const send = (): void => {
      for (; next !== undefined; next = parts.next().value) {
        if (!stream.send(encodeMessage(RoutesPartSchema, { ...version, filters: next }))) return;
      }
      stream.close();
    };
    // When the stream has been taken: it can't be closed properly before.
    setImmediate(send);
    return { onMessage: () => {}, onReady: send, onClosed: () => {} };
  };
}
