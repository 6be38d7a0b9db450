/** Any values of the port Shards, as they travel. */
import { encodeRecord } from "@canopy/codec";
import type { InterestChange, PublishBatch, Push, Records, ShareMember } from "@canopy/store";
import { type Topic, TopicTable } from "@canopy/topic";
import fc from "fast-check";

export const SHARDS = 4;
export const topics: TopicTable = new TopicTable(SHARDS);

export function topic(name: string): Topic {
  return topics.internString(name) as Topic;
}

export interface Said {
  readonly topic: Topic;
  readonly qos?: 0 | 1 | 2;
  readonly payload?: string;
}

export function recordOf({ topic: of, qos = 1, payload = "" }: Said): Buffer {
  return encodeRecord({
    topic: of,
    payload: Buffer.from(payload),
    qos,
    retain: false,
    clientId: Buffer.from("client"),
    acceptedAt: 1,
  });
}

/** One behind the other; undefined: it was taken out. */
export function recordsOf(bodies: readonly (Said | undefined)[]): Records {
  const parts = bodies.map((body) => (body === undefined ? Buffer.alloc(0) : recordOf(body)));
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const { length } of parts) {
    starts.push(at);
    ends.push((at += length));
  }
  const named = bodies.map((body) => body?.topic ?? topic("-"));
  const bytes = Buffer.concat(parts);
  return { bytes, length: at, count: bodies.length, starts, ends, topics: named };
}

/** Each message's bytes, of those that are meant. */
export function bodiesOf({ bytes, starts, ends }: Records, indexes: readonly number[]): Buffer[] {
  return indexes.map((i) => Buffer.from(bytes.subarray(starts[i], ends[i])));
}

export function batchOf(
  gateway: number,
  seq: number,
  shard: number,
  bodies: readonly (Said | undefined)[],
): PublishBatch {
  const zeros = bodies.map(() => 0);
  const records = recordsOf(bodies);
  return { shard, gateway, seq, records, receiptSessions: zeros, receiptKeys: zeros };
}

const name: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("a", "b/c", "$SYS/x", "ä/ö"),
  fc.stringMatching(/^[a-z/]{1,200}$/),
);

export const safe: fc.Arbitrary<number> = fc.oneof(fc.nat(300), fc.maxSafeNat());

/** Of one shard. */
function said(shard: number): fc.Arbitrary<Said> {
  return fc
    .record({
      topic: name.map(topic),
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      payload: fc.string({ maxLength: 300 }),
    })
    .map((body) => (body.topic.shard === shard ? body : { ...body, topic: ofShard(shard) }));
}

export function ofShard(shard: number, others = 0): Topic {
  for (let i = 0, left = others; ; i++) {
    const found = topic(`of/${i}`);
    if (found.shard === shard && left-- === 0) return found;
  }
}

const shardNumber: fc.Arbitrary<number> = fc.nat(SHARDS - 1);

export const anyBatch: fc.Arbitrary<PublishBatch> = shardNumber.chain((shard) =>
  fc
    .tuple(
      fc.array(fc.option(said(shard), { nil: undefined, freq: 5 }), { maxLength: 20 }),
      safe,
      fc.array(fc.tuple(safe, safe), { minLength: 20, maxLength: 20 }),
      fc.boolean(),
    )
    .map(([bodies, seq, receipts, has]) => {
      const batch = batchOf(7, seq, shard, bodies);
      if (!has) return batch;
      const of = (which: 0 | 1): number[] => bodies.map((_, i) => receipts[i]?.[which] ?? 0);
      return { ...batch, receiptSessions: of(0), receiptKeys: of(1) };
    }),
);

export const anyPush: fc.Arbitrary<Push> = shardNumber.chain((shard) =>
  fc
    .tuple(
      fc.array(said(shard), { minLength: 1, maxLength: 20 }),
      fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
      fc.array(fc.oneof(fc.constantFrom(0, 1), safe), { minLength: 20, maxLength: 20 }),
      fc.record({ number: safe, epoch: safe, gateway: safe, seq: safe }),
    )
    .map(([bodies, meant, offsets, of]) => {
      const indexes = bodies.map((_, i) => i).filter((i) => meant[i] === true);
      const records = recordsOf(bodies);
      return { ...of, shard, records, indexes, offsets: offsets.slice(0, indexes.length) };
    }),
);

const filter: fc.Arbitrary<string> = fc.oneof(name, fc.constantFrom("#", "a/+", "ü/#"));

export const anyChanges: fc.Arbitrary<InterestChange[]> = fc.array(
  fc.record({ filter, add: fc.boolean(), transient: fc.boolean() }),
);

export const anyMember: fc.Arbitrary<ShareMember> = fc.record({
  member: safe,
  filter,
  durable: fc.boolean(),
  qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
  clientId: fc.string({ maxLength: 80 }),
  window: fc.nat(65_535),
});
