import fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger } from "./ledger.ts";

const entry = (subscriber: string, publisher: string, seq: number) => ({
  subscriber,
  publisher,
  seq,
});

/** A ledger in which "p" has published so many messages to "s", all acknowledged. */
function published(count: number): { ledger: Ledger; payloads: Buffer[] } {
  const ledger = new Ledger();
  ledger.subscribe("s");
  const payloads = Array.from({ length: count }, () => ledger.publish("p"));
  for (const payload of payloads) ledger.acknowledge(payload);
  return { ledger, payloads };
}

function receive(ledger: Ledger, payloads: readonly Buffer[], order: readonly number[]): void {
  for (const index of order) {
    const payload = payloads[index];
    if (payload !== undefined) ledger.receive("s", payload);
  }
}

test("everything arrives once and in order: nothing to report", () => {
  const { ledger, payloads } = published(3);
  expect(ledger.missing).toBe(3);
  receive(ledger, payloads, [0, 1, 2]);
  expect(ledger.missing).toBe(0);
  expect(ledger.report()).toEqual({
    published: 3,
    acknowledged: 3,
    received: 3,
    lost: [],
    duplicated: [],
    outOfOrder: [],
    unexpected: [],
  });
});

test("what is acknowledged and not received is lost; what is not acknowledged is not", () => {
  const { ledger, payloads } = published(3);
  ledger.publish("p");
  receive(ledger, payloads, [0, 2]);
  expect(ledger.report()).toMatchObject({ published: 4, lost: [entry("s", "p", 1)] });
});

test("a repetition from an earlier place is duplicated, not out of order", () => {
  const { ledger, payloads } = published(3);
  receive(ledger, payloads, [0, 1, 2, 1, 2]);
  expect(ledger.report()).toMatchObject({
    duplicated: [entry("s", "p", 1), entry("s", "p", 2)],
    outOfOrder: [],
  });
});

test("the first receipt after a later one is out of order", () => {
  const { ledger, payloads } = published(3);
  receive(ledger, payloads, [1, 2, 0]);
  expect(ledger.report()).toMatchObject({ outOfOrder: [entry("s", "p", 0)], lost: [] });
});

test("a subscriber is to get what is published after it subscribed, by those it names", () => {
  const ledger = new Ledger();
  const before = ledger.publish("p");
  ledger.acknowledge(before);
  ledger.subscribe("all");
  ledger.subscribe("some", ["p"]);
  for (const publisher of ["p", "q"]) ledger.acknowledge(ledger.publish(publisher));
  expect(ledger.report().lost).toEqual([
    entry("all", "p", 1),
    entry("all", "q", 0),
    entry("some", "p", 1),
  ]);
  ledger.receive("all", before);
  ledger.receive("all", Buffer.from("stranger 0"));
  expect(ledger.report().unexpected).toEqual([entry("all", "p", 0), entry("all", "stranger", 0)]);
});

test("payloads are as long as wanted, and still read", () => {
  const ledger = new Ledger();
  ledger.subscribe("s");
  for (const size of [0, 3, 4, 5, 6, 100]) {
    const payload = ledger.publish("p x", size);
    expect(payload.length).toBeGreaterThanOrEqual(size);
    ledger.acknowledge(payload);
    ledger.receive("s", payload);
  }
  expect(ledger.report()).toMatchObject({ received: 6, lost: [], unexpected: [] });
  expect(() => ledger.receive("s", Buffer.from("hello"))).toThrow("not a payload of the ledger");
  expect(() => ledger.receive("nobody", Buffer.from("p 0"))).toThrow("nobody");
});

test("lost and duplicated are counted right for any receipts", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat({ max: 7 })), (count, receipts) => {
      const { ledger, payloads } = published(count);
      const order = receipts.filter((index) => index < count);
      receive(ledger, payloads, order);
      const { lost, duplicated } = ledger.report();
      expect(lost.length).toBe(count - new Set(order).size);
      expect(duplicated.length).toBe(order.length - new Set(order).size);
    }),
  );
});
