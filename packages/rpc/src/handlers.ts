/** What a service of ours gives the server, and what it is told of each call. */
import type { DescMessage, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { RpcStream, StreamHandler } from "./stream.ts";

export interface CallContext {
  /** Address of the caller, for logs. */
  readonly peer: string;
  /** Aborts when the caller has given up, or is gone: nobody hears the answer. */
  readonly signal: AbortSignal;
}

/** Answers a call. A typed error (SessionError, StoreError, RpcError) arrives as what it is. */
export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Promise<MessageInitShape<O>>;

/**
 * Takes a stream, or throws why not. Messages come when the handler that this returns is here.
 * @param opening - what the caller said in its first frame.
 */
export type OpenHandler = (
  opening: Buffer,
  stream: RpcStream,
  context: CallContext,
) => StreamHandler | Promise<StreamHandler>;

/** One handler for each method of a generated service, by its name there. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S["method"]]: S["method"][K] extends {
    methodKind: "unary";
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? UnaryHandler<I, O>
    : S["method"][K] extends { methodKind: "bidi_streaming" }
      ? OpenHandler
      : never;
};
