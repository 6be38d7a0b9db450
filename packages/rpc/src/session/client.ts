/** The session groups of one node, over a channel to it: whoever asks finds out who leads which. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Random, Timers } from "@canopy/base";
import type {
  DeliveryChanges,
  GatewayPeer,
  Opened,
  OpenRequest,
  Progress,
  ReleaseRequest,
  SessionCounts,
  Sessions,
  SubscribeRequest,
  SubscribeResult,
  UnsubscribeRequest,
  WithdrawRequest,
} from "@canopy/session";
import type { RpcChannel } from "../channel.ts";
import { encodeMessage, type UnaryMethod } from "../definition.ts";
import { asSessionError } from "../errors.ts";
import { BatchesOpeningSchema, Sessions as Service } from "../gen/canopy/session/v1/session_pb.ts";
import { DEADLINE_MS } from "../limits.ts";
import { createCaller } from "../requests/callers.ts";
import { Requests } from "../requests/requests.ts";
import { Attachment } from "./attachment.ts";
import { type Batch, encodeBatches } from "./batches.ts";
import { asUnavailable } from "./errors.ts";
import {
  fromCounts,
  fromOpened,
  fromSubscribed,
  toOpen,
  toRelease,
  toSubscribe,
  toUnsubscribe,
  toWithdraw,
} from "./messages.ts";

export interface NodeSessionsOptions {
  /** How long an answer may take, ms. */
  readonly deadline?: number;
  /**
   * … to what waits for others (open: whoever holds the session; subscribe: all stores; attach: until
   * the group knows the gateway). Above what the service itself waits.
   */
  readonly longDeadline?: number;
  /** What may wait for credit in batches of one group, in bytes; beyond it is `overloaded`. */
  readonly maxWaiting?: number;
  readonly timers?: Timers;
  readonly random?: Random;
}

const LONG_DEADLINE_MS = 15_000;
const MAX_WAITING: number = 8 << 20;

/** One node's port Sessions, for each group. Requests fail as asSessionError() says. */
export class NodeSessions {
  readonly #channel: RpcChannel;
  readonly #options: NodeSessionsOptions;
  readonly #caller: ReturnType<typeof createCaller>;
  readonly #groups = new Map<number, Sessions>();

  constructor(channel: RpcChannel, options: NodeSessionsOptions = {}) {
    this.#channel = channel;
    this.#options = options;
    this.#caller = createCaller(options.random);
  }

  /** A group, from 1. It is the same object each time. */
  group(group: number): Sessions {
    let sessions = this.#groups.get(group);
    if (sessions === undefined) {
      sessions = new GroupSessions(this.#channel, group, this.#options, this.#caller);
      this.#groups.set(group, sessions);
    }
    return sessions;
  }
}

class GroupSessions implements Sessions {
  readonly #channel: RpcChannel;
  readonly #group: number;
  readonly #deadline: number;
  readonly #longDeadline: number;
  readonly #batches: Requests;
  /** By gateway: the last that has attached. */
  readonly #attached = new Map<number, Attachment>();

  constructor(
    channel: RpcChannel,
    group: number,
    options: NodeSessionsOptions,
    caller: ReturnType<typeof createCaller>,
  ) {
    this.#channel = channel;
    this.#group = group;
    this.#deadline = options.deadline ?? DEADLINE_MS;
    this.#longDeadline = options.longDeadline ?? LONG_DEADLINE_MS;
    this.#batches = new Requests({
      channel,
      method: Service.method.batches,
      opening: () => encodeMessage(BatchesOpeningSchema, { group, caller: caller() }),
      deadline: this.#deadline,
      maxWaiting: options.maxWaiting ?? MAX_WAITING,
      timers: options.timers,
    });
  }

  async attach(gateway: number, peer: GatewayPeer): Promise<void> {
    const attachment = new Attachment(peer);
    this.#attached.get(gateway)?.close();
    this.#attached.set(gateway, attachment);
    try {
      await attachment.open(this.#channel, this.#group, gateway, this.#longDeadline);
    } catch (error) {
      if (this.#attached.get(gateway) === attachment) this.#attached.delete(gateway);
      throw asUnavailable(error);
    }
  }

  async open(request: OpenRequest): Promise<Opened> {
    const message = toOpen(this.#group, request);
    return fromOpened(await this.#call(Service.method.open, message, this.#longDeadline));
  }

  async withdraw(request: WithdrawRequest): Promise<void> {
    await this.#call(Service.method.withdraw, toWithdraw(this.#group, request));
  }

  async release(request: ReleaseRequest): Promise<void> {
    await this.#call(Service.method.release, toRelease(this.#group, request));
  }

  async subscribe(request: SubscribeRequest): Promise<SubscribeResult> {
    const message = toSubscribe(this.#group, request);
    return fromSubscribed(await this.#call(Service.method.subscribe, message, this.#longDeadline));
  }

  async unsubscribe(request: UnsubscribeRequest): Promise<readonly boolean[]> {
    const message = toUnsubscribe(this.#group, request);
    return (await this.#call(Service.method.unsubscribe, message)).existed;
  }

  async progress(batch: readonly Progress[]): Promise<void> {
    await this.#batch({ type: "progress", batch });
  }

  async deliveries(batch: readonly DeliveryChanges[]): Promise<void> {
    await this.#batch({ type: "deliveries", batch });
  }

  async counts(): Promise<SessionCounts> {
    return fromCounts(await this.#call(Service.method.counts, { group: this.#group }));
  }

  async #call<I extends DescMessage, O extends DescMessage>(
    method: UnaryMethod<I, O>,
    request: MessageInitShape<I>,
    deadline: number = this.#deadline,
  ): Promise<MessageShape<O>> {
    try {
      return await this.#channel.call(method, request, { deadline });
    } catch (error) {
      throw asSessionError(error);
    }
  }

  async #batch(batch: Batch): Promise<void> {
    const parts = encodeBatches(batch);
    try {
      await Promise.all(parts.map((part) => this.#batches.request([part], part.length)));
    } catch (error) {
      throw asSessionError(error);
    }
  }
}
