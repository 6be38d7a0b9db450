/** The session groups of this node, for gateways. */
import type { Logger } from "@canopy/base";
import { SessionError, type Sessions } from "@canopy/session";
import { decodeMessage, encodeMessage } from "../definition.ts";
import { RpcError } from "../errors.ts";
import {
  AttachOpeningSchema,
  BatchesOpeningSchema,
  type Sessions as Service,
  StopSchema,
} from "../gen/canopy/session/v1/session_pb.ts";
import type { Handlers } from "../handlers.ts";
import { required } from "../numbers.ts";
import { answering } from "../requests/answering.ts";
import { Callers } from "../requests/callers.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { STOP_REASONS } from "./attachment.ts";
import { takeBatch } from "./batches.ts";
import {
  fromOpen,
  fromRelease,
  fromSubscribe,
  fromUnsubscribe,
  fromWithdraw,
  toCounts,
  toOpened,
  toSubscribed,
} from "./messages.ts";
import { toKey } from "./values.ts";

export interface SessionsServerOptions {
  /** A group of this node; undefined: it is not here (any more). */
  readonly group: (group: number) => Sessions | undefined;
  readonly logger: Logger;
}

export function sessionsHandlers(options: SessionsServerOptions): Handlers<typeof Service> {
  const of = (message: { readonly group: number }): Sessions => {
    return here(options.group(message.group), message.group);
  };
  return {
    open: async (message) => toOpened(await of(message).open(fromOpen(message))),
    withdraw: async (message) => {
      await of(message).withdraw(fromWithdraw(message));
      return {};
    },
    release: async (message) => {
      await of(message).release(fromRelease(message));
      return {};
    },
    subscribe: async (message) => {
      return toSubscribed(await of(message).subscribe(fromSubscribe(message)));
    },
    unsubscribe: async (message) => {
      return { existed: [...(await of(message).unsubscribe(fromUnsubscribe(message)))] };
    },
    counts: async (message) => toCounts(await of(message).counts()),
    attach: attaching(of),
    batches: taking(of, options.logger),
  };
}

/** A group is where its replicas are: another node has to be asked. */
export function here<T>(part: T | undefined, group: number): T {
  if (part !== undefined) return part;
  throw new SessionError("not-leader", `session group ${group} is not on this node`);
}

type Of = (message: { readonly group: number }) => Sessions;

function attaching(of: Of): Handlers<typeof Service>["attach"] {
  /** The last stream of a gateway to a group. */
  const streams = new Map<string, RpcStream>();
  return async (bytes, stream): Promise<StreamHandler> => {
    const opening = decodeMessage(AttachOpeningSchema, bytes);
    const gateway = Number(opening.gateway);
    const key = `${opening.group} ${gateway}`;
    const forget = (): void => {
      if (streams.get(key) === stream) streams.delete(key);
    };
    await of(opening).attach(gateway, {
      // What there is no credit for is asked again.
      stop: (incarnation, epoch, reason) => {
        const message = { session: toKey({ incarnation, epoch }), reason: STOP_REASONS[reason] };
        stream.send(encodeMessage(StopSchema, message));
      },
      ended: (error) => {
        stream.close(error);
        forget();
      },
    });
    if (!stream.isClosed) {
      const later = new RpcError("unavailable", "a later stream of this gateway has come");
      streams.get(key)?.close(later);
      streams.set(key, stream);
    }
    return { onMessage: (_message, number) => stream.acknowledge(number), onClosed: forget };
  };
}

function taking(of: Of, logger: Logger): Handlers<typeof Service>["batches"] {
  const callers = new Callers();
  return (bytes, stream) => {
    const { group, caller } = decodeMessage(BatchesOpeningSchema, bytes);
    of({ group });
    const leave = callers.enter(required(caller, "caller"), String(group), stream);
    // The group may come and go while the stream is there.
    const take = (message: Buffer): Promise<void> => takeBatch(of({ group }), message);
    return answering(stream, take, logger, leave);
  };
}
