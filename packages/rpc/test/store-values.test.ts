/** The binary messages of canopy.store.v1.Shards. */
import { DecodeError } from "@canopy/base";
import { encodeRecord, RecordView } from "@canopy/codec";
import { type Missed, type Offset, StoreError } from "@canopy/store";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Answers, type AnswersSink, readAnswers } from "../src/store/answers.ts";
import { encodeBatch, ReceivedBatch } from "../src/store/batch.ts";
import {
  decodeAttached,
  decodeDispatch,
  decodeMissed,
  decodePush,
  encodeAttached,
  encodeDispatch,
  encodeMissed,
  encodePush,
} from "../src/store/pushes.ts";
import { isAcknowledged, topicOf } from "../src/store/record.ts";
import { Words, WordsReader, type WordsSink } from "../src/store/words.ts";
import * as any from "./store-values.ts";
import { bodiesOf, recordOf, topic, topics } from "./store-values.ts";

const GATEWAY = 7;

/** Said, one after the other. */
type Trace = (readonly [string, ...unknown[]])[];

function answersInto(trace: Trace): AnswersSink {
  const say =
    (name: string) =>
    (...args: unknown[]) =>
      void trace.push([name, ...args]);
  return {
    answered: say("answered"),
    released: say("released"),
    notTaken: say("notTaken"),
    done: say("done"),
    failed: (request, { code, message }) => void trace.push(["failed", request, code, message]),
  };
}

function wordsInto(trace: Trace): WordsSink {
  const sink = { topics, gateway: GATEWAY };
  return new Proxy(sink, {
    get: (target, name) => {
      if (name in target) return target[name as keyof typeof target];
      return (...args: unknown[]) => void trace.push([String(name), ...args]);
    },
  }) as unknown as WordsSink;
}

describe("what a record says without being parsed", () => {
  test("its topic and whether it is acknowledged, as the codec has it", () => {
    fc.assert(
      fc.property(
        fc.record({
          clientId: fc.uint8Array({ maxLength: 300 }),
          properties: fc.uint8Array({ maxLength: 300 }),
          payload: fc.uint8Array({ maxLength: 20 }),
          qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
          retain: fc.boolean(),
        }),
        (message) => {
          const record = encodeRecord({ ...message, topic: topic("a/b"), acceptedAt: 5 });
          const bytes = Buffer.concat([Buffer.from("before"), record, Buffer.from("behind")]);
          expect(topicOf(topics, bytes, 6, 6 + record.length).name).toBe("a/b");
          expect(isAcknowledged(bytes, 6)).toBe(message.qos > 0);
        },
      ),
    );
  });

  test("nothing is taken for a record that the codec does not take for one", () => {
    const view = new RecordView();
    const isOne = (read: () => unknown): boolean => {
      try {
        read();
        return true;
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return false;
      }
    };
    const whole = recordOf({ topic: topic("a/b"), payload: "p" });
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), (end, at, value) => {
        const bytes = Buffer.concat([whole.subarray(0, end), Buffer.alloc(40)]);
        bytes[at] = value;
        const has = isOne(() => topicOf(topics, bytes, 0, end));
        const codec = isOne(() => view.set(bytes, 0, end));
        // Topic names are looked at here alone.
        expect(has && !codec).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("batches", () => {
  test("arrive as they were", () => {
    fc.assert(
      fc.property(any.anyBatch, any.safe, (batch, id) => {
        const got = new ReceivedBatch(encodeBatch(id, batch), GATEWAY, topics);
        const { count } = batch.records;
        const all = Array.from({ length: count }, (_, i) => i);
        expect({ id: got.id, shard: got.shard, seq: got.seq, gateway: got.gateway }).toEqual({
          id,
          shard: batch.shard,
          seq: batch.seq,
          gateway: GATEWAY,
        });
        expect(got.records.count).toBe(count);
        expect(bodiesOf(got.records, all)).toEqual(bodiesOf(batch.records, all));
        for (const i of all) {
          if (batch.records.starts[i] === batch.records.ends[i]) continue;
          expect(got.records.topics[i]?.name).toBe(batch.records.topics[i]?.name);
        }
        const sessions = all.map((i) => got.receiptSessions[i]);
        expect(sessions).toEqual(batch.receiptSessions);
        const hasReceipts = batch.receiptSessions.some((session) => session !== 0);
        const keys = all.map((i) => got.receiptKeys[i]);
        expect(keys).toEqual(hasReceipts ? batch.receiptKeys : all.map(() => 0));
      }),
    );
  });

  test("of which some was taken out bring what is left of the same bytes", () => {
    const batch = any.batchOf(GATEWAY, 1, topic("a").shard, [
      { topic: topic("a"), payload: "1" },
      { topic: topic("a"), payload: "2" },
      { topic: topic("a"), payload: "3" },
    ]);
    const { starts, ends } = batch.records;
    const without = { ...batch.records, ends: [ends[0] ?? 0, starts[1] ?? 0, ends[2] ?? 0] };
    const message = encodeBatch(1, { ...batch, records: without });
    const { records } = new ReceivedBatch(message, GATEWAY, topics);
    expect(bodiesOf(records, [0, 2])).toEqual(bodiesOf(batch.records, [0, 2]));
    expect(records.starts[1]).toBe(records.ends[1]);
    expect(records.bytes.buffer).toBe(message.buffer);
  });

  test("with a topic of another shard are refused", () => {
    const { shard } = topic("a");
    const batch = any.batchOf(GATEWAY, 1, (shard + 1) % any.SHARDS, [{ topic: topic("a") }]);
    expect(() => new ReceivedBatch(encodeBatch(1, batch), GATEWAY, topics)).toThrow(DecodeError);
  });
});

describe("pushes", () => {
  test("arrive as they were, each message at its index", () => {
    fc.assert(
      fc.property(any.anyPush, (push) => {
        const got = decodePush(encodePush(push), topics);
        const { number, shard, epoch, gateway, seq, indexes, offsets } = push;
        expect(got).toMatchObject({ number, shard, epoch, gateway, seq, indexes, offsets });
        expect(bodiesOf(got.records, indexes)).toEqual(bodiesOf(push.records, indexes));
        const names = (of: typeof push): (string | undefined)[] =>
          indexes.map((i) => of.records.topics[i]?.name);
        expect(names(got)).toEqual(names(push));
      }),
    );
  });

  test("dispatches and marks arrive as they were", () => {
    const bytes = recordOf({ topic: topic("a/b"), payload: "p" });
    const place = { number: 3, member: 4, shard: 1, epoch: 5, offset: 2 ** 40 };
    const dispatch = { ...place, bytes, start: 0, end: bytes.length, topic: topic("a/b") };
    const got = decodeDispatch(encodeDispatch(dispatch), topics);
    expect(got).toMatchObject(place);
    expect(got.topic.name).toBe("a/b");
    expect(got.bytes.subarray(got.start, got.end)).toEqual(bytes);
    const missed: Missed = {
      number: 9,
      shards: [
        { shard: 0, epoch: 1, topics: [topic("a"), topic("ä")] },
        { shard: 3, epoch: 2, topics: undefined },
      ],
    };
    expect(decodeMissed(encodeMissed(missed), topics)).toEqual(missed);
    expect(decodeAttached(encodeAttached(300))).toBe(300);
  });
});

describe("answers", () => {
  const said = fc.array(
    fc.oneof(
      fc.tuple(fc.constant("answered" as const), fc.nat(3), fc.nat(5), fc.nat(1), fc.nat(1)),
      fc.tuple(fc.constant("released" as const), fc.nat(3)),
      fc.tuple(
        fc.constant("notTaken" as const),
        fc.nat(3),
        fc.constantFrom("not-owner" as const, "after-error" as const, "gap" as const),
      ),
      fc.tuple(fc.constant("heads" as const), any.safe, fc.array(any.safe)),
      fc.tuple(fc.constant("done" as const), any.safe),
      fc.tuple(fc.constant("failed" as const), any.safe, fc.string()),
    ),
  );

  test("arrive in the order in which they were given", () => {
    fc.assert(
      fc.property(said, (all) => {
        const answers = new Answers();
        const expected: Trace = [];
        for (const one of all) {
          if (one[0] === "answered") answers.answered(one[1], one[2], one[3], one[4]);
          else if (one[0] === "released") answers.released(one[1]);
          else if (one[0] === "notTaken") answers.notTaken(one[1], one[2]);
          else if (one[0] === "heads") answers.heads(one[1], one[2]);
          else if (one[0] === "done") answers.done(one[1]);
          else answers.failed(one[1], new StoreError("full", one[2]));
          if (one[0] === "heads") expected.push(["done", one[1], one[2]]);
          else if (one[0] === "done") expected.push(["done", one[1], undefined]);
          else if (one[0] === "failed") expected.push(["failed", one[1], "full", one[2]]);
          else expected.push(one);
        }
        const got: Trace = [];
        const sink = answersInto(got);
        const message = answers.take();
        expect(message === undefined).toBe(all.length === 0);
        const answered = (
          id: number,
          first: number,
          count: number,
          code: number,
          epoch: Offset,
        ) => {
          for (let i = first; i < first + count; i++) got.push(["answered", id, i, code, epoch]);
        };
        if (message !== undefined) readAnswers(message, { ...sink, answered });
        expect(got).toEqual(expected);
      }),
    );
  });

  test("to the messages of a batch and its release are a few bytes", () => {
    const answers = new Answers();
    for (let i = 0; i < 200; i++) answers.answered(5, i, 0, 3);
    answers.released(5);
    expect(answers.take()?.length).toBeLessThan(10);
  });

  test("with an error of a later version fail all the same", () => {
    const answers = new Answers();
    answers.failed(1, new StoreError("of-later" as never, "why"));
    const got: Trace = [];
    readAnswers(answers.take() as Buffer, answersInto(got));
    expect(got).toEqual([["failed", 1, "unavailable", "why"]]);
  });
});

describe("words", () => {
  const place = fc.record({ shard: fc.nat(3), offset: any.safe });
  const word = fc.oneof(
    fc.tuple(fc.constant("register" as const), any.safe),
    fc.tuple(fc.constant("unregister" as const)),
    fc.tuple(fc.constant("known" as const), any.safe),
    fc.tuple(fc.constant("resume" as const), fc.nat(3), any.safe, any.safe),
    fc.tuple(
      fc.constant("interests" as const),
      fc.integer({ min: 1, max: 2 ** 40 }),
      any.anyChanges,
    ),
    fc.tuple(fc.constant("join" as const), any.anyMember),
    fc.tuple(fc.constant("leave" as const), any.safe, fc.array(place)),
    fc.tuple(fc.constant("holds" as const), any.safe, fc.nat(3), fc.array(any.safe)),
    fc.tuple(fc.constant("settle" as const), any.safe, fc.nat(3), any.safe),
    fc.tuple(fc.constant("forget" as const), any.safe, fc.nat(3), any.safe, any.safe),
    fc.tuple(fc.constant("settleDurably" as const), any.safe, fc.string(), fc.nat(3), any.safe),
  );
  const returned = [{ filter: "$share/g/a", record: recordOf({ topic: topic("a") }) }];
  /** Of these the sink is told whose they are. */
  const named = new Set(["known", "resume", "join", "leave", "holds", "settle"]);

  function say(words: Words, all: readonly (readonly unknown[])[]): void {
    for (const [name, ...args] of all) {
      const method = words[name as keyof Words] as unknown as (...args: unknown[]) => void;
      const more = name === "leave" ? [returned] : [];
      method.call(words, ...args, ...more);
    }
  }

  test("arrive in the order in which they were said", () => {
    fc.assert(
      fc.property(fc.array(word), (all) => {
        const words = new Words();
        say(words, all);
        const expected = all.map(([name, ...args]) => {
          const more =
            name === "leave" ? [returned.map((one) => ({ ...one, topic: topic("a") }))] : [];
          return [name, ...(named.has(name) ? [GATEWAY] : []), ...args, ...more];
        });
        const got: Trace = [];
        const reader = new WordsReader(wordsInto(got));
        for (const message of words.take()) reader.read(message);
        expect(got).toEqual(expected);
        expect(words.isEmpty).toBe(true);
      }),
    );
  });

  test("many interests are one request in messages that nobody waits long behind", () => {
    const changes = Array.from({ length: 20_000 }, (_, i) => {
      return { filter: `some/filter/${i}`, add: true, transient: i % 2 === 0 };
    });
    const words = new Words();
    words.known(1);
    words.interests(3, changes);
    words.known(2);
    const messages = words.take();
    expect(messages.length).toBeGreaterThan(5);
    expect(Math.max(...messages.map(({ length }) => length))).toBeLessThan(100_000);
    const got: Trace = [];
    const reader = new WordsReader(wordsInto(got));
    for (const message of messages) reader.read(message);
    expect(got).toEqual([
      ["known", GATEWAY, 1],
      ["interests", 3, changes],
      ["known", GATEWAY, 2],
    ]);
  });

  test("of nobody are refused, but for what is no gateway's own", () => {
    const got: Trace = [];
    const sink = new Proxy(wordsInto(got), {
      get: (target, name) => (name === "gateway" ? 0 : Reflect.get(target, name)),
    });
    const reader = new WordsReader(sink);
    const words = new Words();
    words.forget(1, 2, 3, 4);
    words.known(1);
    const [message] = words.take();
    expect(() => reader.read(message as Buffer)).toThrow(DecodeError);
    expect(got).toEqual([["forget", 1, 2, 3, 4]]);
  });
});

describe("what is no message of these", () => {
  const batch = encodeBatch(1, any.batchOf(GATEWAY, 1, 0, [{ topic: any.ofShard(0) }]));
  const push = encodePush({
    number: 1,
    shard: 0,
    epoch: 1,
    gateway: 1,
    seq: 1,
    records: any.recordsOf([{ topic: topic("a") }, { topic: topic("b") }]),
    indexes: [0, 1],
    offsets: [0, 2 ** 33],
  });
  const dispatch = encodeDispatch({
    number: 1,
    member: 1,
    shard: 0,
    epoch: 1,
    offset: 0,
    bytes: recordOf({ topic: topic("a") }),
    start: 0,
    end: recordOf({ topic: topic("a") }).length,
    topic: topic("a"),
  });
  const missed = encodeMissed({
    number: 1,
    shards: [{ shard: 1, epoch: 1, topics: [topic("a")] }],
  });
  const words = new Words();
  words.resume(1, 2, 3);
  words.interests(1, [{ filter: "a", add: true, transient: true }]);
  words.leave(1, [{ shard: 1, offset: 2 }], []);
  const [said] = words.take();
  const answers = new Answers();
  answers.answered(1, 0, 0, 1);
  answers.released(1);
  answers.notTaken(2, "gap");
  answers.heads(1, [1, 2]);
  answers.failed(2, new StoreError("full", "disk"));

  test.each<[string, Buffer, (message: Buffer) => unknown]>([
    ["a batch", batch, (message) => new ReceivedBatch(message, GATEWAY, topics)],
    ["a push", push, (message) => decodePush(message, topics)],
    ["a dispatch", dispatch, (message) => decodeDispatch(message, topics)],
    ["what was missed", missed, (message) => decodeMissed(message, topics)],
    ["words", said as Buffer, (message) => new WordsReader(wordsInto([])).read(message)],
    ["answers", answers.take() as Buffer, (message) => readAnswers(message, answersInto([]))],
  ])("%s, cut off or changed, is refused or read, and nothing else happens", (_, whole, read) => {
    const outcome = (message: Buffer): boolean => {
      try {
        read(message);
        return true;
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return false;
      }
    };
    expect(outcome(Buffer.from(whole))).toBe(true);
    fc.assert(
      fc.property(
        fc.nat(whole.length - 1),
        fc.nat(whole.length - 1),
        fc.nat(255),
        (cut, at, value) => {
          outcome(Buffer.from(whole.subarray(0, Math.max(1, cut))));
          const changed = Buffer.from(whole);
          changed[at] = value;
          outcome(changed);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("a high index makes no long list", () => {
    const far = { ...decodePush(push, topics), indexes: [0, 2 ** 30] };
    const starts: number[] = [0];
    const ends: number[] = [0];
    starts[2 ** 30] = 0;
    ends[2 ** 30] = 0;
    const encoded = encodePush({ ...far, records: { ...far.records, starts, ends } });
    expect(() => decodePush(encoded, topics)).toThrow("message 1073741824 of a batch");
  });
});
