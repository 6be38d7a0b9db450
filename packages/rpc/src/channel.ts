/**
 * The calling side: one connection to one address. It is kept up by itself; while it is down, calls
 * fail at once, so that who makes them decides what to do.
 */
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  type Clock,
  type Lifecycle,
  type Logger,
  type Random,
  systemClock,
  systemRandom,
  systemTimers,
  type Timers,
} from "@canopy/base";
import {
  type ChannelOptions,
  type Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  Metadata,
  type StatusObject,
} from "@grpc/grpc-js";
import { methodDefinition, type StreamMethod, type UnaryMethod } from "./definition.ts";
import { RpcError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import {
  CONNECT_MS,
  DEADLINE_MS,
  FIRST_BACKOFF_MS,
  HTTP2_WINDOW_BYTES,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  LONGEST_BACKOFF_MS,
  MAX_MESSAGE_BYTES,
  WINDOW_BYTES,
} from "./limits.ts";
import { Link, type LinkState } from "./link.ts";
import { errorOf } from "./status.ts";
import { FrameStream, type FrameWire, type RpcStream, type StreamHandler } from "./stream.ts";
import { channelCredentials, type RpcTls } from "./tls.ts";

export interface RpcChannelOptions {
  /** `host:port`, or `unix:` and a path; a function is asked anew for each attempt to connect. */
  readonly address: string | (() => string | undefined);
  readonly tls?: RpcTls | undefined;
  /** The name that the server's certificate has to be for, where that is not its address. */
  readonly serverName?: string | undefined;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly random?: Random;
  /** Of a call that says nothing else, ms. */
  readonly deadline?: number;
  /** How long an attempt to connect may take, ms. */
  readonly connectTimeout?: number;
  /** Pauses between attempts, ms: they double, and each is cut short by up to half at random. */
  readonly backoff?: { readonly first: number; readonly longest: number };
  readonly keepalive?: { readonly time: number; readonly timeout: number };
  readonly maxMessageBytes?: number;
}

export interface CallOptions {
  /** ms */
  readonly deadline?: number;
}

export interface OpenOptions {
  /** What the stream is for, as the method says. */
  readonly opening: Uint8Array;
  readonly handler: StreamHandler;
  /** What the other side may have unacknowledged, in bytes; else what the handler says. */
  readonly window?: number;
  /** How long the other side may take to accept, ms. */
  readonly deadline?: number;
}

type Definition = ReturnType<typeof methodDefinition>;

export class RpcChannel implements Lifecycle {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #deadline: number;
  readonly #listeners = new Set<(state: LinkState) => void>();
  /** Made once for each method. */
  readonly #definitions = new Map<DescMethod, Definition>();
  /** What ends with the channel. */
  readonly #streams = new Set<FrameStream>();
  readonly #calls = new Set<ClientUnaryCall>();

  constructor(options: RpcChannelOptions) {
    const { address } = options;
    this.#clock = options.clock ?? systemClock;
    this.#timers = options.timers ?? systemTimers;
    this.#deadline = options.deadline ?? DEADLINE_MS;
    this.#link = new Link({
      address: typeof address === "string" ? () => address : address,
      credentials: channelCredentials(options.tls),
      options: grpcOptions(options),
      connectTimeout: options.connectTimeout ?? CONNECT_MS,
      backoff: options.backoff ?? { first: FIRST_BACKOFF_MS, longest: LONGEST_BACKOFF_MS },
      logger: options.logger,
      timers: this.#timers,
      random: options.random ?? systemRandom,
      onState: (state) => {
        for (const listener of this.#listeners) listener(state);
      },
    });
  }

  get state(): LinkState {
    return this.#link.state;
  }

  /** Of the connection, or the last attempt. */
  get address(): string | undefined {
    return this.#link.address;
  }

  /** The listener is called at each change from now on, until the function returned is. */
  onState(listener: (state: LinkState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins to connect; needs no other side yet. */
  async start(): Promise<void> {
    this.#link.connect();
  }

  /** Gives up a connection that is of no use: the next comes after a pause. */
  reconnect(): void {
    this.#link.reconnect();
  }

  /** Calls and streams under way fail, as `cancelled` and `unavailable`. */
  async stop(): Promise<void> {
    const error = new RpcError("unavailable", "the channel was closed", { sent: true });
    for (const stream of this.#streams) stream.break(error);
    for (const call of this.#calls) call.cancel();
    this.#link.close();
  }

  /**
   * One request, one answer. While the first attempt to connect is under way it waits for that.
   * @throws the typed error of the other side, or an RpcError that says whether it was `sent`.
   */
  async call<I extends DescMessage, O extends DescMessage>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const until = this.#clock.now() + (options.deadline ?? this.#deadline);
    const client = this.#link.ready ?? (await this.#connected(until));
    const { path, requestSerialize, responseDeserialize } = this.#definition(method);
    // grpc-js turns it into a duration at once.
    const deadline = this.#clock.wall() + until - this.#clock.now();
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        { deadline },
        (error, response) => {
          this.#calls.delete(call);
          if (error !== null) reject(errorOf(error, true));
          else resolve(response as MessageShape<O>);
        },
      );
      this.#calls.add(call);
    });
  }

  /**
   * Opens a stream; settles when the other side has accepted it. Messages may reach the handler
   * before.
   * @throws what the other side refuses it with, or an RpcError.
   */
  async open(method: StreamMethod, options: OpenOptions): Promise<RpcStream> {
    const until = this.#clock.now() + (options.deadline ?? this.#deadline);
    const client = this.#link.ready ?? (await this.#connected(until));
    const { path, requestSerialize, responseDeserialize } = this.#definition(method);
    const call = client.makeBidiStreamRequest<Frame, Frame>(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Frame,
    );
    return this.#opened(call, options, until - this.#clock.now());
  }

  #opened(
    call: ClientDuplexStream<Frame, Frame>,
    options: OpenOptions,
    deadline: number,
  ): Promise<RpcStream> {
    const { opening, handler, window = handler.window ?? WINDOW_BYTES } = options;
    return new Promise((resolve, reject) => {
      const wire: FrameWire = {
        write: (frame, done) => void call.write(frame, () => done()),
        end: () => {
          this.#streams.delete(stream);
          call.end();
        },
        fail: () => {
          this.#streams.delete(stream);
          call.cancel();
        },
      };
      const stream = new FrameStream(wire, window);
      const late = (): void => stream.break(new RpcError("deadline", "not accepted in time"));
      const timer = this.#timers.set(deadline, late);
      let isOpen = false;
      const closed = (error: Error | undefined): void => {
        timer.cancel();
        if (isOpen) handler.onClosed(error);
        else reject(error ?? new RpcError("internal", "the stream ended before it began"));
      };
      this.#streams.add(stream);
      call.on("data", (frame: Frame) => {
        if (!isOpen) {
          isOpen = true;
          timer.cancel();
          resolve(stream);
        }
        stream.receive(frame);
      });
      onEnd(call, (error) => {
        this.#streams.delete(stream);
        stream.ended(error);
      });
      stream.open(opening, { ...callbacks(handler), onClosed: closed });
    });
  }

  async #connected(until: number): Promise<Client> {
    const late = Promise.withResolvers<never>();
    const timer = this.#timers.set(until - this.#clock.now(), () => {
      late.reject(new RpcError("deadline", "no connection in time"));
    });
    try {
      return await Promise.race([this.#link.connected(), late.promise]);
    } finally {
      timer.cancel();
    }
  }

  #definition(method: DescMethod): Definition {
    let definition = this.#definitions.get(method);
    if (definition === undefined) {
      definition = methodDefinition(method);
      this.#definitions.set(method, definition);
    }
    return definition;
  }
}

/** A handler may be an instance of a class, whose methods a spread would lose. */
function callbacks(handler: StreamHandler): Omit<StreamHandler, "onClosed"> {
  return {
    onMessage: (message, number) => handler.onMessage(message, number),
    onAcknowledged: (number) => handler.onAcknowledged?.(number),
    onReady: () => handler.onReady?.(),
  };
}

/** The status may be here before frames that came earlier have been read. */
function onEnd(call: ClientDuplexStream<Frame, Frame>, done: (error: Error) => void): void {
  // What counts is the status, which comes with it.
  call.on("error", () => {});
  call.once("status", (status: StatusObject) => {
    const ok = status.code === 0;
    const error = ok ? new RpcError("internal", "ended without a word") : errorOf(status, true);
    if (call.readableLength === 0) done(error);
    else call.once("end", () => done(error));
  });
}

function grpcOptions(options: RpcChannelOptions): ChannelOptions {
  const longest = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
  const { serverName } = options;
  return {
    "grpc.max_receive_message_length": longest,
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": options.keepalive?.time ?? KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": options.keepalive?.timeout ?? KEEPALIVE_TIMEOUT_MS,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc-node.flow_control_window": HTTP2_WINDOW_BYTES,
    // One connection of its own for each channel, and nothing done twice behind our back.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.client_idle_timeout_ms": 0x7f_ff_ff_ff,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.enable_channelz": 0,
    ...(serverName === undefined
      ? {}
      : {
          "grpc.ssl_target_name_override": serverName,
          "grpc.default_authority": serverName,
        }),
  };
}
