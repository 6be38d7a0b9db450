/** Random commands: any for the encoding, and likely ones for the state. */
import fc from "fast-check";
import type { Command } from "../src/commands.ts";
import type {
  DeliveryChanges,
  NewSubscription,
  OpenRequest,
  Progress,
  SessionWill,
  Unfinished,
} from "../src/port.ts";

const OFFSET = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const NUMBER = fc.oneof(fc.nat(200), fc.maxSafeNat());
const SHARD = fc.nat(40);
const TEXT = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: "grapheme", maxLength: 70 }));
const WHOLE_TEXT = TEXT.filter((text) => text.isWellFormed());

/** Of the encoding: everything that its types allow. */
const willArbitrary: fc.Arbitrary<SessionWill> = fc.record({
  record: fc.uint8Array({ maxLength: 40 }),
  delay: fc.nat(2 ** 32 - 1),
  expiry: fc.option(fc.nat(2 ** 32 - 1), { nil: undefined }),
});

const unfinishedArbitrary: fc.Arbitrary<Unfinished> = fc.record({
  packetId: fc.integer({ min: 1, max: 65_535 }),
  qos: fc.constantFrom<1 | 2>(1, 2),
  received: fc.boolean(),
  source: fc.constantFrom<"queue" | "retained">("queue", "retained"),
  queue: WHOLE_TEXT,
  shard: SHARD,
  offset: OFFSET,
});

const ranges = fc.array(fc.tuple(OFFSET, OFFSET), { maxLength: 4 }).map((pairs) => pairs.flat());
const cursors = fc.array(fc.tuple(SHARD, OFFSET), { maxLength: 4 }).map((pairs) => pairs.flat());
const strings = fc.array(WHOLE_TEXT, { maxLength: 3 });

const retainedAfter = fc.array(fc.record({ filter: WHOLE_TEXT, shard: SHARD, topic: WHOLE_TEXT }), {
  maxLength: 3,
});

const progressFields = {
  incarnation: NUMBER,
  epoch: NUMBER,
  cursors,
  done: fc.array(fc.record({ shard: SHARD, ranges }), { maxLength: 3 }),
  drained: strings,
  retainedAfter,
  retainedSent: strings,
};
const progressArbitrary: fc.Arbitrary<Progress> = fc.record(progressFields);

const openArbitrary: fc.Arbitrary<OpenRequest> = fc.record({
  clientId: WHOLE_TEXT,
  gateway: NUMBER,
  requestId: NUMBER,
  cleanStart: fc.boolean(),
  expiry: fc.nat(2 ** 32 - 1),
  will: fc.option(willArbitrary, { nil: undefined }),
  user: fc.option(WHOLE_TEXT, { nil: undefined }),
});

const subscriptionArbitrary: fc.Arbitrary<NewSubscription> = fc.record({
  filter: WHOLE_TEXT,
  qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  retainHandling: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  subscriptionIdentifier: fc.nat(268_435_455),
  sendRetained: fc.boolean(),
});

const plainDeliveries: fc.Arbitrary<DeliveryChanges> = fc.record({
  incarnation: NUMBER,
  epoch: NUMBER,
  completed: fc.array(NUMBER, { maxLength: 4 }),
  received: fc.array(NUMBER, { maxLength: 4 }),
  assigned: fc.array(unfinishedArbitrary, { maxLength: 4 }),
  retainedAfter,
});
const deliveriesArbitrary: fc.Arbitrary<DeliveryChanges> = fc.oneof(
  plainDeliveries,
  fc
    .tuple(plainDeliveries, fc.array(NUMBER, { minLength: 1, maxLength: 4 }))
    .map(([changes, receiptShards]) => ({ ...changes, receiptShards })),
);

const releaseFields = {
  ...progressFields,
  will: fc.constantFrom<"drop" | "publish">("drop", "publish"),
  expiry: fc.option(fc.nat(2 ** 32 - 1), { nil: undefined }),
  unfinished: fc.array(unfinishedArbitrary, { maxLength: 4 }),
};

const keys = fc.array(fc.record({ incarnation: NUMBER, epoch: NUMBER }), { maxLength: 4 });
const numbers = fc.array(NUMBER, { maxLength: 5 });
const at = NUMBER;

function constant<T extends string>(type: T): fc.Arbitrary<T> {
  return fc.constant(type);
}

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ type: constant("tick"), at }),
  fc.record({
    type: constant("members"),
    at,
    version: NUMBER,
    gatewaysUp: numbers,
    gatewaysGone: numbers,
    storesUp: numbers,
    storesDown: numbers,
  }),
  fc.record({ type: constant("gateway-down"), at, gateway: NUMBER, sessions: numbers }),
  fc.record({ type: constant("open"), at, request: openArbitrary }),
  fc.record({
    type: constant("release"),
    at,
    request: fc.oneof(
      fc.record(releaseFields),
      fc.record({ ...releaseFields, receiptShards: fc.array(NUMBER, { maxLength: 4 }) }),
    ),
  }),
  fc.record({
    type: constant("subscribe"),
    at,
    heads: fc.array(OFFSET, { maxLength: 5 }),
    requests: fc.array(
      fc.record({
        incarnation: NUMBER,
        epoch: NUMBER,
        subscriptions: fc.array(subscriptionArbitrary, { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    type: constant("unsubscribe"),
    at,
    request: fc.record({ incarnation: NUMBER, epoch: NUMBER, filters: strings, draining: strings }),
  }),
  fc.record({
    type: constant("progress"),
    at,
    batch: fc.array(progressArbitrary, { maxLength: 4 }),
  }),
  fc.record({
    type: constant("deliveries"),
    at,
    batch: fc.array(deliveriesArbitrary, { maxLength: 3 }),
  }),
  fc.record({ type: constant("expire"), at, sessions: keys }),
  fc.record({ type: constant("fire-will"), at, sessions: keys }),
  fc.record({ type: constant("will-done"), at, wills: keys }),
  fc.record({ type: constant("ended-cleaned"), at, incarnations: numbers }),
);
