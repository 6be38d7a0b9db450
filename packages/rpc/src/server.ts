/** The serving side: several services on one address, with health and reflection beside them. */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type Lifecycle, type Logger, systemTimers, type Timers } from "@canopy/base";
import {
  logVerbosity,
  Server,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerUnaryCall,
  type StatusObject,
  type sendUnaryData,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { bound, removeStale } from "./address.ts";
import { definitionOf } from "./definition.ts";
import { RpcError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import type { CallContext, Handlers, OpenHandler, UnaryHandler } from "./handlers.ts";
import {
  DRAIN_MS,
  FLUSH_MS,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_MESSAGE_BYTES,
  WINDOW_BYTES,
} from "./limits.ts";
import { reflectionOf } from "./reflection.ts";
import { isTyped, statusOf } from "./status.ts";
import { FrameStream, type FrameWire } from "./stream.ts";
import { type RpcTls, serverCredentials } from "./tls.ts";

export interface RpcServerOptions {
  /** `host:port`, port 0 for a free one; or `unix:` and the path of a socket. */
  readonly address: string;
  readonly tls?: RpcTls | undefined;
  readonly logger: Logger;
  readonly timers?: Timers;
  /** What each stream's caller may have unacknowledged, in bytes. */
  readonly window?: number;
  /** The longest message that is taken, in bytes. */
  readonly maxMessageBytes?: number;
  /** A caller that says nothing is asked after `time` ms, and given up `timeout` ms later. */
  readonly keepalive?: { readonly time: number; readonly timeout: number };
}

/** The address is of no use, or in use. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** As the system names it, such as `EADDRINUSE`. */
  readonly code: string;

  constructor(address: string, cause: Error) {
    const code = /\bE[A-Z]{3,}\b/.exec(cause.message)?.[0] ?? "ELISTEN";
    super(`can't listen at ${address}: ${WHY[code] ?? cause.message}`, { cause });
    this.code = code;
  }
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process does (EADDRINUSE)",
  EADDRNOTAVAIL: "it is not an address of this machine (EADDRNOTAVAIL)",
  EACCES: "it is not allowed (EACCES)",
};

// It prints to stderr what it also says in errors.
setLogVerbosity(logVerbosity.NONE);

type Respond = (error: StatusObject | null, response?: unknown) => void;
type UnaryCall = ServerUnaryCall<unknown, unknown>;
type StreamCall = ServerDuplexStream<Frame, Frame>;

export class RpcServer implements Lifecycle {
  readonly #options: RpcServerOptions;
  readonly #server: Server;
  readonly #health = new HealthImplementation({ "": "NOT_SERVING" });
  readonly #services: DescService[] = [];
  /** What is not answered yet. */
  readonly #calls = new Set<Respond>();
  readonly #streams = new Set<FrameStream>();
  #address: string;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#address = options.address;
    this.#server = new Server(grpcOptions(options));
  }

  /** Where it listens, with its real port; after start(). */
  get address(): string {
    return this.#address;
  }

  /** Before start(). The service counts as serving until {@link setServing} says otherwise. */
  add<S extends DescService>(service: S, handlers: Handlers<S>): this {
    this.#services.push(service);
    this.#server.addService(definitionOf(service), this.#implementation(service, handlers));
    this.#health.setStatus(service.typeName, "SERVING");
    return this;
  }

  /** What grpc.health.v1 says of a service. */
  setServing(service: DescService, isServing: boolean): void {
    this.#health.setStatus(service.typeName, isServing ? "SERVING" : "NOT_SERVING");
  }

  async start(): Promise<void> {
    const { address, tls } = this.#options;
    this.#health.addToServer(this.#server);
    reflectionOf(this.#services).addToServer(this.#server);
    await removeStale(address);
    const credentials = serverCredentials(tls);
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, got) => {
        if (error === null) resolve(got);
        else reject(new ListenError(address, error));
      });
    });
    this.#address = bound(address, port);
    this.#health.setStatus("", "SERVING");
  }

  /** Streams end at once, calls under way have a moment to be answered. */
  async stop(): Promise<void> {
    for (const { typeName } of this.#services) this.#health.setStatus(typeName, "NOT_SERVING");
    this.#health.setStatus("", "NOT_SERVING");
    const error = new RpcError("unavailable", "the server is being stopped");
    for (const stream of this.#streams) stream.break(error);
    const timers = this.#options.timers ?? systemTimers;
    let timer = timers.set(DRAIN_MS, () => {
      for (const respond of this.#calls) respond(statusOf(error));
      timer = timers.set(FLUSH_MS, () => this.#server.forceShutdown());
    });
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    timer.cancel();
  }

  #implementation<S extends DescService>(
    service: S,
    handlers: Handlers<S>,
  ): UntypedServiceImplementation {
    const implementation: UntypedServiceImplementation = {};
    for (const method of service.methods) {
      // Which kind of handler it is follows from the method (Handlers).
      const handler: unknown = handlers[method.localName as keyof typeof handlers];
      implementation[method.localName] =
        method.methodKind === "unary"
          ? this.#unary(method, handler as UnaryHandler<DescMethod["input"], DescMethod["output"]>)
          : this.#stream(method, handler as OpenHandler);
    }
    return implementation;
  }

  #unary(
    method: DescMethod,
    handler: UnaryHandler<DescMethod["input"], DescMethod["output"]>,
  ): (call: UnaryCall, callback: sendUnaryData<unknown>) => void {
    return (call, callback) => {
      const respond: Respond = (error, response) => {
        if (this.#calls.delete(respond)) callback(error, response);
      };
      this.#calls.add(respond);
      const answer = async (): Promise<unknown> => handler(call.request as never, contextOf(call));
      answer().then(
        (response) => respond(null, response),
        (error: unknown) => respond(this.#failed(method, error)),
      );
    };
  }

  #stream(method: DescMethod, handler: OpenHandler): (call: StreamCall) => void {
    return (call) => {
      const wire: FrameWire = {
        write: (frame, done) => void call.write(frame, () => done()),
        end: () => {
          this.#streams.delete(stream);
          call.end();
        },
        fail: (error) => {
          this.#streams.delete(stream);
          call.emit("error", this.#failed(method, error));
        },
      };
      const stream = new FrameStream(wire, this.#options.window ?? WINDOW_BYTES);
      this.#streams.add(stream);
      // Either comes first where the caller has given up; one that closes has said so in a frame.
      const gone = (): void => {
        if (stream.isClosed) return;
        stream.ended(new RpcError("cancelled", "the caller has given up, or is gone"));
        wire.end();
      };
      call.once("cancelled", gone);
      call.once("end", gone);
      let isFirst = true;
      call.on("data", (frame: Frame) => {
        stream.receive(frame);
        if (isFirst) open(stream, handler, frame, call);
        isFirst = false;
      });
    };
  }

  #failed(method: DescMethod, error: unknown): ReturnType<typeof statusOf> {
    if (!isTyped(error)) {
      const name = `${method.parent.typeName}/${method.name}`;
      this.#options.logger.error({ method: name, error }, "a call failed");
    }
    return statusOf(error);
  }
}

function open(stream: FrameStream, handler: OpenHandler, frame: Frame, call: StreamCall): void {
  const opening = (frame.opening ?? Buffer.alloc(0)) as Buffer;
  const accept = async (): Promise<void> => {
    stream.begin(await handler(opening, stream, contextOf(call)));
  };
  accept().catch((error: unknown) => {
    stream.close(error instanceof Error ? error : new Error(String(error)));
  });
}

function contextOf(call: UnaryCall | StreamCall): CallContext {
  let controller: AbortController | undefined;
  return {
    peer: call.getPeer(),
    // Made for who asks: most do not.
    get signal(): AbortSignal {
      if (controller === undefined) {
        const made = new AbortController();
        controller = made;
        if (call.cancelled) made.abort();
        else call.once("cancelled", () => made.abort());
      }
      return controller.signal;
    },
  };
}

function grpcOptions(options: RpcServerOptions): ServerOptions {
  const longest = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
  return {
    "grpc.max_receive_message_length": longest,
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": options.keepalive?.time ?? KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": options.keepalive?.timeout ?? KEEPALIVE_TIMEOUT_MS,
    // Without it forceShutdown() finds no connections to end (grpc-js 1.14).
    "grpc.enable_channelz": 1,
  };
}
