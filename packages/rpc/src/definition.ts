/** A generated service as grpc-js wants it: the only place where the two meet. */
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { FrameSchema } from "./gen/canopy/stream/v1/frame_pb.ts";

/** A method with one request and one answer, as generated in `Service.method`. */
export interface UnaryMethod<I extends DescMessage, O extends DescMessage> extends DescMethod {
  readonly methodKind: "unary";
  readonly input: I;
  readonly output: O;
}

/** A method whose both directions are streams of {@link FrameSchema}. */
export interface StreamMethod extends DescMethod {
  readonly methodKind: "bidi_streaming";
}

// grpc-js' own type; what is in it is known where a method is called.
type AnyDefinition = MethodDefinition<unknown, unknown>;

/** Everything that grpc-js needs to serve or call it. */
export function definitionOf(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [method.localName, methodDefinition(method)]),
  );
}

export function methodDefinition(method: DescMethod): AnyDefinition {
  const request = codecOf(method.input);
  const response = codecOf(method.output);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    originalName: method.localName,
    requestStream: method.methodKind === "client_streaming" || isBidi(method),
    responseStream: method.methodKind === "server_streaming" || isBidi(method),
    requestSerialize: request.encode,
    requestDeserialize: request.decode,
    responseSerialize: response.encode,
    responseDeserialize: response.decode,
  };
}

function isBidi(method: DescMethod): boolean {
  return method.methodKind === "bidi_streaming";
}

interface Codec {
  readonly encode: (message: unknown) => Buffer;
  readonly decode: (bytes: Buffer) => unknown;
}

// Frames are encoded by their stream, which knows when their messages may be copied.
const frames: Codec = {
  encode: (frame) => encodeFrame(frame as Parameters<typeof encodeFrame>[0]),
  decode: decodeFrame,
};

function codecOf(schema: DescMessage): Codec {
  if (schema.typeName === FrameSchema.typeName) return frames;
  return {
    encode: (init) => encodeMessage(schema, init as MessageInitShape<typeof schema>),
    decode: (bytes) => fromBinary(schema, bytes),
  };
}

/** For the messages that travel inside of frames; an initializer will do. */
export function encodeMessage<S extends DescMessage>(schema: S, init: MessageInitShape<S>): Buffer {
  return bufferOf(toBinary(schema, create(schema, init)));
}

/** The same bytes, in the same memory. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws where the bytes are no such message. */
export function decodeMessage<S extends DescMessage>(
  schema: S,
  bytes: Uint8Array,
): MessageShape<S> {
  return fromBinary(schema, bytes);
}
