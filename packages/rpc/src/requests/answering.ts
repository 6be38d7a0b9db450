/** The serving side of requests on a stream: see canopy.stream.v1.Answer. */
import type { Logger } from "@canopy/base";
import { encodeMessage } from "../definition.ts";
import { AnswerSchema } from "../gen/canopy/stream/v1/request_pb.ts";
import { isTyped } from "../status.ts";
import type { RpcStream, StreamHandler } from "../stream.ts";
import { toFailure } from "./failure.ts";

/**
 * Does what the next message asks for, which settles then; undefined: it is a part of a request that
 * goes on. It is called in the order in which messages were sent. What it throws is the answer.
 */
export type RequestHandler = (message: Buffer) => Promise<void> | undefined;

/**
 * What is asked for on the stream and not answered yet is bounded by its window: a message gives its
 * credit back when everything up to it has been answered.
 */
export function answering(
  stream: RpcStream,
  handle: RequestHandler,
  logger: Logger,
  onClosed: () => void,
): StreamHandler {
  let received = 0;
  /** Numbers of requests, in their order. */
  const underWay = new Set<number>();
  const acknowledge = (): void => {
    const [first] = underWay;
    stream.acknowledge(first === undefined ? received : first - 1);
  };
  const answer = (number: number, failure?: ReturnType<typeof toFailure>): void => {
    underWay.delete(number);
    const init = { number: BigInt(number), ...(failure === undefined ? {} : { failure }) };
    stream.sendMark(encodeMessage(AnswerSchema, init));
    acknowledge();
  };
  const fail = (number: number, error: unknown): void => {
    if (!isTyped(error)) logger.error({ error }, "a request on a stream failed");
    answer(number, toFailure(error));
  };
  return {
    onMessage: (message, number) => {
      received = number;
      let done: Promise<void> | undefined;
      try {
        done = handle(message);
      } catch (error) {
        fail(number, error);
        return;
      }
      if (done === undefined) {
        acknowledge();
        return;
      }
      underWay.add(number);
      done.then(
        () => answer(number),
        (error: unknown) => fail(number, error),
      );
    },
    onClosed: () => {
      underWay.clear();
      onClosed();
    },
  };
}
