/** Requests and answers of the port Sessions, to messages of canopy.session.v1 and back. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  NewSubscription,
  Opened,
  OpenRequest,
  ReleaseRequest,
  SessionCounts,
  SubscribeRequest,
  SubscribeResult,
  UnsubscribeRequest,
  WithdrawRequest,
} from "@canopy/session";
import {
  type CountsResponse,
  type CountsResponseSchema,
  type NewSubscription as NewSubscriptionMessage,
  type NewSubscriptionSchema,
  type OpenRequest as OpenRequestMessage,
  type OpenRequestSchema,
  type OpenResponse,
  type OpenResponseSchema,
  type ReleaseRequest as ReleaseRequestMessage,
  type ReleaseRequestSchema,
  type SubscribeRequest as SubscribeRequestMessage,
  type SubscribeRequestSchema,
  type SubscribeResponse,
  type SubscribeResponseSchema,
  type UnsubscribeRequest as UnsubscribeRequestMessage,
  type UnsubscribeRequestSchema,
  WillAction,
  type WithdrawRequest as WithdrawRequestMessage,
} from "../gen/canopy/session/v1/session_pb.ts";
import { nameOf, toBigints, toNumbers } from "../numbers.ts";
import {
  fromDone,
  fromKey,
  fromOptions,
  fromProgress,
  fromSubscription,
  fromUnfinished,
  fromWill,
  toDone,
  toKey,
  toOptions,
  toProgress,
  toSubscription,
  toUnfinished,
  toWill,
} from "./values.ts";

const WILL_ACTIONS = { drop: WillAction.DROP, publish: WillAction.PUBLISH } as const;

export function toOpen(
  group: number,
  request: OpenRequest,
): MessageInitShape<typeof OpenRequestSchema> {
  const { cleanStart, expiry, will, user } = request;
  return { ...toWithdraw(group, request), cleanStart, expiry, will: will && toWill(will), user };
}

export function fromOpen(message: OpenRequestMessage): OpenRequest {
  const { clientId, gateway, requestId, cleanStart, expiry, will, user } = message;
  return {
    clientId,
    gateway: Number(gateway),
    requestId: Number(requestId),
    cleanStart,
    expiry,
    will: will && fromWill(will),
    user,
  };
}

export function toOpened(opened: Opened): MessageInitShape<typeof OpenResponseSchema> {
  const { sessionPresent, subscriptions, cursors, done, unfinished, receiptShards } = opened;
  return {
    session: toKey(opened),
    sessionPresent,
    subscriptions: subscriptions.map(toSubscription),
    cursors: toBigints(cursors),
    done: done.map(toDone),
    unfinished: unfinished.map(toUnfinished),
    receiptShards: [...receiptShards],
  };
}

export function fromOpened(message: OpenResponse): Opened {
  const { session, sessionPresent, subscriptions, cursors, done, unfinished, receiptShards } =
    message;
  return {
    ...fromKey(session),
    sessionPresent,
    subscriptions: subscriptions.map(fromSubscription),
    cursors: toNumbers(cursors),
    done: done.map(fromDone),
    unfinished: unfinished.map(fromUnfinished),
    receiptShards,
  };
}

/** What an OpenRequest begins with too. */
interface WithdrawInit {
  group: number;
  clientId: string;
  gateway: bigint;
  requestId: bigint;
}

export function toWithdraw(
  group: number,
  { clientId, gateway, requestId }: WithdrawRequest,
): WithdrawInit {
  return { group, clientId, gateway: BigInt(gateway), requestId: BigInt(requestId) };
}

export function fromWithdraw(message: WithdrawRequestMessage): WithdrawRequest {
  const { clientId, gateway, requestId } = message;
  return { clientId, gateway: Number(gateway), requestId: Number(requestId) };
}

export function toRelease(
  group: number,
  request: ReleaseRequest,
): MessageInitShape<typeof ReleaseRequestSchema> {
  const { will, expiry, unfinished, receiptShards } = request;
  return {
    group,
    progress: toProgress(request),
    will: WILL_ACTIONS[will],
    expiry,
    unfinished: unfinished.map(toUnfinished),
    receipts: receiptShards && { shards: [...receiptShards] },
  };
}

export function fromRelease(message: ReleaseRequestMessage): ReleaseRequest {
  const { progress, will, expiry, unfinished, receipts } = message;
  return {
    ...fromProgress(progress),
    will: nameOf(WILL_ACTIONS, will, "end of a will"),
    expiry,
    unfinished: unfinished.map(fromUnfinished),
    ...(receipts && { receiptShards: receipts.shards }),
  };
}

function toNewSubscription(
  subscription: NewSubscription,
): MessageInitShape<typeof NewSubscriptionSchema> {
  const { filter, sendRetained } = subscription;
  return { filter, options: toOptions(subscription), sendRetained };
}

function fromNewSubscription(message: NewSubscriptionMessage): NewSubscription {
  const { filter, options, sendRetained } = message;
  return { ...fromOptions(options), filter, sendRetained };
}

export function toSubscribe(
  group: number,
  request: SubscribeRequest,
): MessageInitShape<typeof SubscribeRequestSchema> {
  const subscriptions = request.subscriptions.map(toNewSubscription);
  return { group, session: toKey(request), subscriptions };
}

export function fromSubscribe(message: SubscribeRequestMessage): SubscribeRequest {
  const { session, subscriptions } = message;
  return { ...fromKey(session), subscriptions: subscriptions.map(fromNewSubscription) };
}

export function toSubscribed(
  result: SubscribeResult,
): MessageInitShape<typeof SubscribeResponseSchema> {
  const { subscriptions, existed } = result;
  return { subscriptions: subscriptions.map(toSubscription), existed: [...existed] };
}

export function fromSubscribed(message: SubscribeResponse): SubscribeResult {
  const { subscriptions, existed } = message;
  return { subscriptions: subscriptions.map(fromSubscription), existed };
}

export function toUnsubscribe(
  group: number,
  request: UnsubscribeRequest,
): MessageInitShape<typeof UnsubscribeRequestSchema> {
  const { filters, draining } = request;
  return { group, session: toKey(request), filters: [...filters], draining: [...draining] };
}

export function fromUnsubscribe(message: UnsubscribeRequestMessage): UnsubscribeRequest {
  const { session, filters, draining } = message;
  return { ...fromKey(session), filters, draining };
}

export function toCounts(counts: SessionCounts): MessageInitShape<typeof CountsResponseSchema> {
  const { sessions, connected, durable, subscriptions } = counts;
  return {
    sessions: BigInt(sessions),
    connected: BigInt(connected),
    durable: BigInt(durable),
    subscriptions: BigInt(subscriptions),
  };
}

export function fromCounts(message: CountsResponse): SessionCounts {
  const { sessions, connected, durable, subscriptions } = message;
  return {
    sessions: Number(sessions),
    connected: Number(connected),
    durable: Number(durable),
    subscriptions: Number(subscriptions),
  };
}
