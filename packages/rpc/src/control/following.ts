/** Streams to the control plane that tell a sink what they bring, and how they end: the calling side. */
import { ControlError, type Watch, type WatchSink } from "@canopy/control";
import type { RpcChannel } from "../channel.ts";
import { decodeMessage, type StreamMethod } from "../definition.ts";
import { WatchEventSchema } from "../gen/canopy/control/v1/control_pb.ts";
import { invalid } from "../numbers.ts";
import type { RpcStream } from "../stream.ts";
import { fromChange, fromWhole } from "./values.ts";

interface Followed {
  readonly method: StreamMethod;
  readonly opening: Uint8Array;
  /** How long the other side may take to accept, ms. */
  readonly deadline: number;
  readonly onMessage: (message: Buffer) => void;
  readonly ended: (error: ControlError) => void;
}

/** Whatever ends the stream is told once; one that is closed is told nothing more. */
export function follow(channel: RpcChannel, followed: Followed): Watch {
  const { method, opening, deadline, onMessage, ended } = followed;
  let stream: RpcStream | undefined;
  let isClosed = false;
  let taken = 0;
  const end = (error: unknown): void => {
    if (isClosed) return;
    isClosed = true;
    ended(asUnavailable(error));
  };
  const handler = {
    onMessage: (message: Buffer, number: number) => {
      if (isClosed) return;
      onMessage(message);
      taken = number;
      stream?.acknowledge(number);
    },
    onClosed: (error: Error | undefined) => end(error ?? new Error("the stream was closed")),
  };
  channel.open(method, { opening, handler, deadline }).then((opened) => {
    stream = opened;
    if (isClosed) opened.close();
    else opened.acknowledge(taken);
  }, end);
  return {
    close: () => {
      isClosed = true;
      stream?.close();
    },
  };
}

/** Nothing is done by such a stream, so nothing is `indeterminate`. */
function asUnavailable(error: unknown): ControlError {
  if (error instanceof ControlError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ControlError("unavailable", message, { cause: error });
}

export function tell(sink: WatchSink, message: Buffer): void {
  const { event } = decodeMessage(WatchEventSchema, message);
  switch (event.case) {
    case "whole":
      sink.whole(fromWhole(event.value));
      return;
    case "changes":
      sink.changes(event.value.changes.map(fromChange), Number(event.value.version));
      return;
    case undefined:
      throw invalid("an event of a later version");
  }
}
