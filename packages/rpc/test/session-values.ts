/** Any values of the ports Sessions, SessionQueries and RouteSink. */
import type {
  DeliveryChanges,
  NewSubscription,
  Opened,
  OpenRequest,
  Progress,
  ReleaseRequest,
  RouteBatch,
  Subscription,
  SubscriptionOptions,
  Unfinished,
  UnsubscribeRequest,
  WillPublication,
} from "@canopy/session";
import fc from "fast-check";

export const number: fc.Arbitrary<number> = fc.oneof(fc.nat(200), fc.maxSafeNat());
export const uint32: fc.Arbitrary<number> = fc.nat(2 ** 32 - 1);
export const text: fc.Arbitrary<string> = fc
  .string({ unit: "grapheme", maxLength: 30 })
  .filter((string) => string.isWellFormed());

const shard = fc.nat(40);
const numbers = fc.array(number, { maxLength: 5 });
const texts = fc.array(text, { maxLength: 3 });
const bytes = fc.uint8Array({ maxLength: 40 });
const key = { incarnation: number, epoch: number };

function list<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(arbitrary, { maxLength: 3 });
}

function optional<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined });
}

const options: { [K in keyof SubscriptionOptions]: fc.Arbitrary<SubscriptionOptions[K]> } = {
  qos: fc.constantFrom(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constantFrom(0, 1, 2),
  subscriptionIdentifier: fc.nat(268_435_455),
};

export const subscription: fc.Arbitrary<Subscription> = fc.record({
  ...options,
  filter: text,
  queued: fc.boolean(),
  starts: numbers,
  draining: fc.boolean(),
  retainedUpTo: optional(numbers),
  retainedAfter: optional(fc.record({ shard, topic: text })),
});

const unfinished: fc.Arbitrary<Unfinished> = fc.record({
  packetId: fc.integer({ min: 1, max: 65_535 }),
  qos: fc.constantFrom<1 | 2>(1, 2),
  received: fc.boolean(),
  source: fc.constantFrom<Unfinished["source"]>("queue", "retained"),
  queue: text,
  shard,
  offset: number,
});

const pairs = list(fc.tuple(number, number)).map((ranges) => ranges.flat());
const done = list(fc.record({ shard, ranges: pairs }));
const retainedAfter = list(fc.record({ filter: text, shard, topic: text }));

const progressFields = {
  ...key,
  cursors: list(fc.tuple(shard, number)).map((cursors) => cursors.flat()),
  done,
  drained: texts,
  retainedAfter,
  retainedSent: texts,
};

export const progress: fc.Arbitrary<Progress> = fc.record(progressFields);

export const deliveries: fc.Arbitrary<DeliveryChanges> = fc.record({
  ...key,
  completed: numbers,
  received: numbers,
  assigned: list(unfinished),
  retainedAfter,
});

export const openRequest: fc.Arbitrary<OpenRequest> = fc.record({
  clientId: text,
  gateway: number,
  requestId: number,
  cleanStart: fc.boolean(),
  expiry: uint32,
  will: optional(fc.record({ record: bytes, delay: uint32, expiry: optional(uint32) })),
  user: optional(text),
});

export const opened: fc.Arbitrary<Opened> = fc.record({
  ...key,
  sessionPresent: fc.boolean(),
  subscriptions: list(subscription),
  cursors: numbers,
  done,
  unfinished: list(unfinished),
  receiptShards: list(uint32),
});

const releaseFields = {
  ...progressFields,
  will: fc.constantFrom<ReleaseRequest["will"]>("drop", "publish"),
  expiry: optional(uint32),
  unfinished: list(unfinished),
};

export const releaseRequest: fc.Arbitrary<ReleaseRequest> = fc.oneof(
  fc.record(releaseFields),
  fc.record({ ...releaseFields, receiptShards: list(uint32) }),
);

export const newSubscription: fc.Arbitrary<NewSubscription> = fc.record({
  ...options,
  filter: text,
  sendRetained: fc.boolean(),
});

export const unsubscribeRequest: fc.Arbitrary<UnsubscribeRequest> = fc.record({
  ...key,
  filters: texts,
  draining: texts,
});

export const routeBatch: fc.Arbitrary<RouteBatch> = fc.record({
  group: uint32,
  term: number,
  seq: number,
  whole: fc.boolean(),
  changes: list(fc.record({ filter: text, add: fc.boolean() })),
});

export const will: fc.Arbitrary<WillPublication> = fc.record({
  ...key,
  group: uint32,
  term: number,
  record: bytes,
});
