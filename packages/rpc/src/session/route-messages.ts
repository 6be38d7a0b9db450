/** What session groups ask of store processes, to messages of canopy.store.v1 and back. */
import type { RouteBatch, RouteSink, WillPublication } from "@canopy/session";
import { decodeMessage, encodeMessage } from "../definition.ts";
import {
  type RouteBatch as RouteBatchMessage,
  RouteRequestSchema,
  type WillPublication as WillMessage,
} from "../gen/canopy/store/v1/routes_pb.ts";
import { invalid } from "../numbers.ts";
import { inParts } from "./parts.ts";

/** In parts: each is made when the one before has been taken. */
export function* encodeRoutes(batch: RouteBatch): Generator<Uint8Array, undefined> {
  const { group, whole } = batch;
  const version = { group, term: BigInt(batch.term), seq: BigInt(batch.seq), whole };
  const parts = inParts(batch.changes, ({ filter }) => filter.length);
  for (let part = parts.next().value; part !== undefined; ) {
    const after = parts.next().value;
    const changes = part.map(({ filter, add }) => ({ filter, add }));
    const value = { ...version, changes, more: after !== undefined };
    yield encodeMessage(RouteRequestSchema, { request: { case: "routes", value } });
    part = after;
  }
  return undefined;
}

export function encodeWill(will: WillPublication): Uint8Array {
  const value = {
    group: will.group,
    term: BigInt(will.term),
    incarnation: BigInt(will.incarnation),
    epoch: BigInt(will.epoch),
    record: will.record as Uint8Array<ArrayBuffer>,
  };
  return encodeMessage(RouteRequestSchema, { request: { case: "will", value } });
}

/** What comes on one stream: the parts of a batch are gathered until its last one is here. */
export class RouteRequests {
  readonly #sink: RouteSink;
  #parts: RouteBatchMessage[] = [];

  constructor(sink: RouteSink) {
    this.#sink = sink;
  }

  /** Undefined: the batch goes on. */
  take(message: Buffer): Promise<void> | undefined {
    const { request } = decodeMessage(RouteRequestSchema, message);
    if (request.case === "will") return this.#sink.publishWill(fromWill(request.value));
    if (request.case !== "routes") throw invalid("a request for routes");
    this.#parts.push(request.value);
    if (request.value.more) return undefined;
    const parts = this.#parts;
    this.#parts = [];
    return this.#sink.routes(fromRoutes(parts, request.value));
  }
}

function fromRoutes(parts: readonly RouteBatchMessage[], last: RouteBatchMessage): RouteBatch {
  const { group, term, seq, whole } = last;
  const changes = parts.flatMap((part) => part.changes.map(({ filter, add }) => ({ filter, add })));
  return { group, term: Number(term), seq: Number(seq), whole, changes };
}

function fromWill({ group, term, incarnation, epoch, record }: WillMessage): WillPublication {
  return {
    group,
    term: Number(term),
    incarnation: Number(incarnation),
    epoch: Number(epoch),
    // Copied: it outlives the buffer that it came in.
    record: new Uint8Array(record),
  };
}
