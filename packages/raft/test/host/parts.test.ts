import { FakeTime } from "@canopy/testkit";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCommand, encodeCommand, encodeEndClient } from "../../src/host/command.ts";
import { ReplicatedMachine } from "../../src/host/machine.ts";
import { Origins, OriginsReader } from "../../src/host/origins.ts";
import { Slots } from "../../src/host/slots.ts";
import { Ticker } from "../../src/host/ticker.ts";
import { ListMachine } from "./list-machine.ts";

describe("the ticker", () => {
  function started() {
    const time = new FakeTime();
    const deferred: (() => void)[] = [];
    const defer = (fn: () => void) => {
      deferred.push(fn);
    };
    let ticks = 0;
    let behind = 0;
    const clock = { now: () => time.now() + behind, wall: () => time.wall() };
    const ticker = new Ticker({ clock, timers: time, defer, tick: 10 }, () => ticks++);
    ticker.start();
    const run = () => {
      for (const fn of deferred.splice(0)) fn();
    };
    const standStill = (ms: number) => {
      behind += ms;
    };
    return { time, ticker, run, standStill, ticks: () => ticks };
  }

  test("ticks after what has arrived was handled", () => {
    const { time, run, ticks } = started();
    time.advance(10);
    expect(ticks()).toBe(0);
    run();
    expect(ticks()).toBe(1);
    for (let i = 0; i < 10; i++) {
      time.advance(10);
      run();
    }
    expect(ticks()).toBe(11);
  });

  test("after a turn that took long counts one tick, after two more looks at what has arrived", () => {
    const { time, run, standStill, ticks } = started();
    standStill(500);
    time.advance(10);
    run();
    expect(ticks()).toBe(0);
    run();
    expect(ticks()).toBe(1);
    time.advance(9);
    run();
    expect(ticks()).toBe(1);
  });

  test("does nothing after stop()", () => {
    const { time, ticker, run, ticks } = started();
    time.advance(10);
    ticker.stop();
    run();
    expect(ticks()).toBe(0);
    expect(time.pending).toBe(0);
  });
});

describe("a command", () => {
  test("comes back with its origin, or without one", () => {
    const origin = fc.option(fc.record({ client: fc.maxSafeNat(), sequence: fc.maxSafeNat() }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.uint8Array(), origin, (bytes, from) => {
        const command = decodeCommand(encodeCommand(bytes, from));
        const type = from === undefined ? "plain" : "origin";
        const own = from === undefined ? {} : { origin: from };
        expect(command).toEqual({ type, bytes: Buffer.from(bytes), ...own });
      }),
    );
    expect(decodeCommand(encodeEndClient(7))).toEqual({ type: "endClient", client: 7 });
    expect(() => decodeCommand(Buffer.from([9, 1]))).toThrow("no such kind");
    expect(() => decodeCommand(Buffer.of())).toThrow("bytes wanted");
  });
});

describe("the table of sequences", () => {
  test("is written as it was when it was frozen, whatever changes meanwhile", () => {
    const step = fc.tuple(fc.nat(30), fc.nat(5));
    fc.assert(
      fc.property(fc.array(step), fc.array(step), (before, meanwhile) => {
        const origins = new Origins();
        const expected = new Map<number, number>();
        for (const [client, sequence] of before) {
          origins.applied(client, sequence);
          if (sequence > 0) expected.set(client, sequence);
          else expected.delete(client);
        }
        const chunks = origins.freeze();
        const reader = new OriginsReader();
        for (const [client, sequence] of meanwhile) origins.applied(client, sequence);
        for (const chunk of chunks) reader.push(chunk);
        origins.thaw();
        expect(reader.whole).toBe(true);
        expect(reader.table).toEqual(expected);
        for (const [client, sequence] of meanwhile) expected.set(client, sequence);
        for (let merges = 0; merges < 10; merges++) {
          for (const [client, sequence] of expected) expect(origins.last(client)).toBe(sequence);
          origins.merge(5);
        }
      }),
    );
  });

  test("of many clients goes in chunks, and the state machine's follow", () => {
    const machine = new ReplicatedMachine(new ListMachine());
    for (let client = 1; client <= 10_000; client++) {
      machine.apply(encodeCommand(Buffer.from(`c${client}`), { client, sequence: 1 }), client);
    }
    const snapshot = machine.snapshot();
    machine.apply(encodeCommand(Buffer.from("later"), { client: 1, sequence: 2 }), 10_001);
    const chunks = [...snapshot];
    machine.snapshotEnded();
    const list = new ListMachine();
    const copy = new ReplicatedMachine(list);
    const sink = copy.restore();
    for (const chunk of chunks.slice(0, 2)) sink.push(chunk);
    expect(() => sink.finish()).toThrow("ends within the table");
    for (const chunk of chunks.slice(2)) sink.push(chunk);
    sink.finish();
    expect(list.lines).toHaveLength(10_000);
    const again = encodeCommand(Buffer.from("again"), { client: 1, sequence: 2 });
    expect(copy.apply(again, 10_001)).toMatchObject({ type: "committed" });
    expect(machine.apply(again, 10_002)).toEqual({ type: "repeated" });
  });
});

describe("slots", () => {
  test("let so many run at a time, in order, whatever fails", async () => {
    const slots = new Slots(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const work = async (i: number) => {
      most = Math.max(most, ++running);
      order.push(i);
      await Promise.resolve();
      running--;
      if (i === 1) throw new Error("failed");
    };
    const all = Array.from({ length: 6 }, (_, i) => slots.run(() => work(i)));
    const settled = await Promise.allSettled(all);
    expect(settled.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
