/** What requests and answers of canopy.session.v1 are made of, to messages and back. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  DoneRanges,
  Progress,
  RetainedProgress,
  SessionWill,
  Subscription,
  SubscriptionOptions,
  Unfinished,
} from "@canopy/session";
import {
  DeliverySource,
  type DoneRanges as DoneRangesMessage,
  type DoneRangesSchema,
  type Progress as ProgressMessage,
  type ProgressSchema,
  type RetainedProgress as RetainedProgressMessage,
  type RetainedProgressSchema,
  type SessionKey as SessionKeyMessage,
  type SessionKeySchema,
  type ShardOffset,
  type Subscription as SubscriptionMessage,
  type SubscriptionOptions as SubscriptionOptionsMessage,
  type SubscriptionOptionsSchema,
  type SubscriptionSchema,
  type Unfinished as UnfinishedMessage,
  type UnfinishedSchema,
  type Will,
  type WillSchema,
} from "../gen/canopy/session/v1/session_pb.ts";
import { invalid, nameOf, required, toBigints, toNumbers } from "../numbers.ts";

export interface SessionKey {
  readonly incarnation: number;
  readonly epoch: number;
}

const SOURCES = { queue: DeliverySource.QUEUE, retained: DeliverySource.RETAINED } as const;

export function toKey({
  incarnation,
  epoch,
}: SessionKey): MessageInitShape<typeof SessionKeySchema> {
  return { incarnation: BigInt(incarnation), epoch: BigInt(epoch) };
}

export function fromKey(message: SessionKeyMessage | undefined): SessionKey {
  const { incarnation, epoch } = required(message, "session");
  return { incarnation: Number(incarnation), epoch: Number(epoch) };
}

export function toWill({
  record,
  delay,
  expiry,
}: SessionWill): MessageInitShape<typeof WillSchema> {
  return { record: record as Uint8Array<ArrayBuffer>, delay, expiry };
}

export function fromWill({ record, delay, expiry }: Will): SessionWill {
  // Copied: it outlives the buffer that it came in.
  return { record: new Uint8Array(record), delay, expiry };
}

export function toOptions(
  options: SubscriptionOptions,
): MessageInitShape<typeof SubscriptionOptionsSchema> {
  const { qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = options;
  return { qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier };
}

export function fromOptions(message: SubscriptionOptionsMessage | undefined): SubscriptionOptions {
  const options = required(message, "options");
  const { qos, retainHandling } = options;
  if (!isQos(qos)) throw invalid(`QoS ${qos}`);
  if (!isQos(retainHandling)) throw invalid(`Retain Handling ${retainHandling}`);
  const { noLocal, retainAsPublished, subscriptionIdentifier } = options;
  return { qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier };
}

/** Retain Handling has the same values. */
function isQos(value: number): value is 0 | 1 | 2 {
  return value <= 2;
}

export function toSubscription(
  subscription: Subscription,
): MessageInitShape<typeof SubscriptionSchema> {
  const { filter, queued, starts, draining, retainedUpTo, retainedAfter } = subscription;
  return {
    filter,
    options: toOptions(subscription),
    queued,
    starts: toBigints(starts),
    draining,
    retainedUpTo: retainedUpTo && { offsets: toBigints(retainedUpTo) },
    retainedAfter: retainedAfter && { shard: retainedAfter.shard, topic: retainedAfter.topic },
  };
}

export function fromSubscription(message: SubscriptionMessage): Subscription {
  const { filter, options, queued, starts, draining, retainedUpTo, retainedAfter } = message;
  return {
    ...fromOptions(options),
    filter,
    queued,
    starts: toNumbers(starts),
    draining,
    retainedUpTo: retainedUpTo && toNumbers(retainedUpTo.offsets),
    retainedAfter: retainedAfter && { shard: retainedAfter.shard, topic: retainedAfter.topic },
  };
}

export function toUnfinished(entry: Unfinished): MessageInitShape<typeof UnfinishedSchema> {
  const { packetId, qos, received, queue, shard } = entry;
  const source = SOURCES[entry.source];
  return { packetId, qos, received, source, queue, shard, offset: BigInt(entry.offset) };
}

export function fromUnfinished(message: UnfinishedMessage): Unfinished {
  const { packetId, qos, received, queue, shard } = message;
  if (qos !== 1 && qos !== 2) throw invalid(`QoS ${qos} of a delivery`);
  const source = nameOf(SOURCES, message.source, "source of a delivery");
  return { packetId, qos, received, source, queue, shard, offset: Number(message.offset) };
}

export function toDone({ shard, ranges }: DoneRanges): MessageInitShape<typeof DoneRangesSchema> {
  return { shard, ranges: toBigints(ranges) };
}

export function fromDone({ shard, ranges }: DoneRangesMessage): DoneRanges {
  if (ranges.length % 2 !== 0) throw invalid("half a range");
  return { shard, ranges: toNumbers(ranges) };
}

function toRetained({
  filter,
  shard,
  topic,
}: RetainedProgress): MessageInitShape<typeof RetainedProgressSchema> {
  return { filter, position: { shard, topic } };
}

function fromRetained({ filter, position }: RetainedProgressMessage): RetainedProgress {
  const { shard, topic } = required(position, "position");
  return { filter, shard, topic };
}

export function toProgress(progress: Progress): MessageInitShape<typeof ProgressSchema> {
  const { cursors, done, drained, retainedAfter, retainedSent } = progress;
  return {
    session: toKey(progress),
    cursors: toShardOffsets(cursors),
    done: done.map(toDone),
    drained: [...drained],
    retainedAfter: retainedAfter.map(toRetained),
    retainedSent: [...retainedSent],
  };
}

export function fromProgress(message: ProgressMessage | undefined): Progress {
  const progress = required(message, "progress");
  return {
    ...fromKey(progress.session),
    cursors: fromShardOffsets(progress.cursors),
    done: progress.done.map(fromDone),
    drained: progress.drained,
    retainedAfter: progress.retainedAfter.map(fromRetained),
    retainedSent: progress.retainedSent,
  };
}

/** From and to [shard, offset] pairs, flat. */
function toShardOffsets(flat: readonly number[]): { shard: number; offset: bigint }[] {
  const pairs: { shard: number; offset: bigint }[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    pairs.push({ shard: flat[i] as number, offset: BigInt(flat[i + 1] as number) });
  }
  return pairs;
}

function fromShardOffsets(pairs: readonly ShardOffset[]): number[] {
  return pairs.flatMap(({ shard, offset }) => [shard, Number(offset)]);
}
