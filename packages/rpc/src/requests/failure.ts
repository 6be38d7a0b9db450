/** Errors in the answers on a stream, as calls have them in their status and trailers. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import type { Failure, FailureSchema } from "../gen/canopy/stream/v1/request_pb.ts";
import { errorOf, statusOf } from "../status.ts";

export function toFailure(error: unknown): MessageInitShape<typeof FailureSchema> {
  const { code, details, metadata } = statusOf(error);
  const trailers = Object.entries(metadata.getMap()).map(([key, value]) => [key, String(value)]);
  return { status: code, message: details, trailers: Object.fromEntries(trailers) };
}

/** A typed error of a port, or an RpcError of a request that was sent. */
export function fromFailure({ status, message, trailers }: Failure): Error {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(trailers)) metadata.set(key, value);
  return errorOf({ code: status, details: message, metadata }, true);
}
