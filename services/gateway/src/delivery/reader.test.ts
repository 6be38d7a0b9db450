import { assert } from "@canopy/base";
import { DELIVERY, Delivery } from "@canopy/connection";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Reader } from "./reader.ts";
import type { Sub, SubDelivery } from "./sub.ts";

const NOBODY = undefined as unknown as Sub;

function delivery(offset: number, qos: 1 | 2 = 1): SubDelivery {
  return new Delivery(qos, NOBODY, 0, offset, undefined, undefined);
}

function finish(reader: Reader, item: SubDelivery): void {
  item.state = DELIVERY.finished;
  reader.finish(item);
}

/** All offsets of ranges. */
function spread(ranges: readonly number[]): number[] {
  const offsets: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    for (let at = ranges[i] as number; at <= (ranges[i + 1] as number); at++) offsets.push(at);
  }
  return offsets;
}

test("the cursor stops before the first that is not finished; what is behind it is told as ranges", () => {
  const reader = new Reader(3, 10);
  const items = [12, 13, 15, 20].map((offset) => delivery(offset));
  for (const item of items) reader.add(item);
  finish(reader, items[1] as SubDelivery);
  finish(reader, items[2] as SubDelivery);
  expect(reader.cursor).toBe(10);
  expect(reader.done()).toEqual({ shard: 3, ranges: [13, 15] });
  finish(reader, items[0] as SubDelivery);
  expect(reader.cursor).toBe(15);
  expect(reader.done()).toBeUndefined();
});

test("what is finished of an earlier connection is told though the position has not passed it", () => {
  const reader = new Reader(0, 10);
  const resumed = delivery(14);
  reader.resume([resumed], []);
  finish(reader, resumed);
  expect(reader.changed).toBe(true);
  expect(reader.done()?.ranges).toEqual([14, 14]);
  expect(reader.cursor).toBe(10);
  expect(reader.passes(12)).toBe(false);
});

test("one of an earlier connection below the cursor does not take it back", () => {
  const reader = new Reader(0, 10);
  const resumed = delivery(8, 2);
  reader.resume([resumed], []);
  reader.moveTo(12);
  finish(reader, resumed);
  expect(reader.cursor).toBe(12);
});

type Step = { readonly kind: "read" | "finish" | "resume" | "live"; readonly n: number };
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Step["kind"]>("read", "read", "finish", "finish", "live", "resume"),
    n: fc.nat(7),
  }),
  { maxLength: 60 },
);

/** What the session state would keep, and the messages of a queue. */
class Model {
  readonly queue: readonly number[];
  reader = new Reader(0, 0);
  readonly finished = new Set<number>();
  readonly delivered = new Set<number>();
  inFlight: SubDelivery[] = [];

  constructor(queue: readonly number[]) {
    this.queue = queue;
  }

  read(count: number): void {
    for (const offset of this.queue.filter((at) => at > this.reader.position).slice(0, count)) {
      if (this.reader.passes(offset)) continue;
      this.#deliver(offset);
    }
    this.reader.advance();
  }

  #deliver(offset: number): void {
    assert(!this.finished.has(offset), `${offset} again after it was finished`);
    assert(!this.inFlight.some((item) => item.offset === offset), `${offset} is in flight`);
    this.delivered.add(offset);
    const item = delivery(offset);
    this.inFlight.push(item);
    this.reader.add(item);
  }

  finish(n: number): void {
    const [item] = this.inFlight.splice(n % Math.max(1, this.inFlight.length), 1);
    if (item === undefined) return;
    this.finished.add(item.offset);
    finish(this.reader, item);
  }

  /** A new connection that knows what a release tells. */
  resume(): void {
    const { cursor } = this.reader;
    const done = this.#known();
    this.reader = new Reader(0, cursor);
    this.inFlight = this.inFlight.map(({ offset }) => delivery(offset));
    this.reader.resume(this.inFlight, done);
  }

  /** Done ranges are joined with what is known; those up to the cursor go. */
  #known(): number[] {
    const all = new Set([...this.#done, ...spread(this.reader.done()?.ranges ?? [])]);
    this.#done = [...all].filter((at) => at > this.reader.cursor).toSorted((a, b) => a - b);
    return this.#done.flatMap((at) => [at, at]);
  }
  #done: number[] = [];

  check(): void {
    for (const { offset } of this.inFlight) {
      assert(this.reader.cursor < offset, "the cursor passes what is in flight");
    }
    for (const offset of spread(this.reader.done()?.ranges ?? [])) {
      assert(!this.queue.includes(offset) || this.finished.has(offset), `${offset} is done`);
    }
    for (const offset of this.queue) {
      assert(offset > this.reader.cursor || this.finished.has(offset), `${offset} is passed`);
    }
  }
}

test("[MQTT-4.3.3-1] however reads, acknowledgements and resumptions come, each message is delivered, and never after it was finished", () => {
  const queues = fc
    .uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 30 })
    .map((offsets) => offsets.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(queues, steps, (queue, script) => {
      const model = new Model(queue);
      for (const { kind, n } of script) {
        if (kind === "read") model.read(n);
        else if (kind === "live") model.read(1);
        else if (kind === "finish") model.finish(n);
        else model.resume();
        model.check();
      }
      model.read(queue.length);
      while (model.inFlight.length > 0) model.finish(0);
      expect([...model.delivered].toSorted((a, b) => a - b)).toEqual(queue);
      model.reader.moveTo(100);
      expect(model.reader.cursor).toBe(100);
    }),
  );
});
