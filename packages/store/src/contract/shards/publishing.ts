import { expect, test } from "vitest";
import { epochOf, OFFSETS_PER_EPOCH } from "../../port.ts";
import {
  comes,
  EPOCH,
  type MakeShardsHarness,
  message,
  ONE,
  readAll,
  TOPIC,
  TWO,
  useShards,
} from "./harness.ts";

export function publishingTests(makeHarness: MakeShardsHarness): void {
  const bench = useShards(makeHarness);

  test("a message reaches every gateway with an interest, and has one answer", async () => {
    await bench().ownAll();
    const one = await bench().attach(ONE);
    const two = await bench().attach(TWO);
    await one.subscribe(false, TOPIC);
    await two.subscribe(true, "#");
    one.publish([message("1"), message("0", { qos: 0 }), message("2", { qos: 2 })]);
    await comes(() => expect(one.back).toEqual([1]));
    await comes(() => expect([...one.answers].sort()).toEqual(["1.0 00", "1.2 00"]));
    for (const { got } of [one, two]) {
      const expected = ["1", "0", "2"].map((payload) => ({
        payload,
        offset: 0,
        seq: 1,
        epoch: EPOCH,
      }));
      await comes(() => expect(got).toEqual(expected));
    }
  });

  test("0x10 where nobody matches", async () => {
    await bench().ownAll();
    const one = await bench().attach(ONE);
    one.publish([message("1")]);
    await comes(() => expect(one.answers).toEqual(["1.0 10"]));
  });

  test("an interest that is taken back as often as it was added ends", async () => {
    await bench().ownAll();
    const one = await bench().attach(ONE);
    await one.subscribe(true, TOPIC, TOPIC);
    const change = { filter: TOPIC, add: false, transient: true };
    await one.shards.interests(ONE, [change]);
    one.publish([message("1")]);
    await comes(() => expect(one.answers).toEqual(["1.0 00"]));
    await one.shards.interests(ONE, [change]);
    one.publish([message("2")]);
    await comes(() => expect(one.answers).toEqual(["1.0 00", "2.0 10"]));
    expect(one.payloads).toEqual(["1"]);
  });

  test("what a queue has is stored before it is answered, and read under the owner's epoch", async () => {
    await bench().ownAll();
    const { harness, shard } = bench();
    const one = await bench().attach(ONE);
    await harness.route(TOPIC);
    await one.subscribe(false, TOPIC);
    const release = harness.hold();
    one.publish([message("1"), message("2")]);
    await harness.settle();
    expect(one.answers).toEqual([]);
    release();
    await comes(() => expect(one.answers).toEqual(["1.0 00", "1.1 00"]));
    await comes(() => expect(one.payloads).toEqual(["1", "2"]));
    const read = await readAll(bench(), one, TOPIC);
    expect(read).toMatchObject({ epoch: EPOCH, limited: false, payloads: ["1", "2"] });
    expect(read.messages.map(({ offset }) => offset)).toEqual(one.got.map(({ offset }) => offset));
    expect(epochOf(read.upTo)).toBe(EPOCH);
    const heads = await one.subscribe(false, TOPIC);
    expect(heads[shard]).toBe(read.upTo);
  });

  test("messages of one topic stay in order, whatever is stored of them", async () => {
    await bench().ownAll();
    const one = await bench().attach(ONE);
    await bench().harness.route(TOPIC);
    await one.subscribe(true, TOPIC);
    const payloads = Array.from({ length: 200 }, (_, i) => `${i}`);
    for (const [i, payload] of payloads.entries()) {
      one.publish([message(payload, { retain: i % 7 === 0 })]);
    }
    await comes(() => expect(one.payloads).toEqual(payloads));
    expect(one.numbers).toEqual(payloads.map((_, i) => i + 1));
  });

  test.each([
    ["full", "97"],
    ["unavailable", "80"],
  ] as const)("a backend that is %s: 0x%s, and nothing is pushed", async (code, answer) => {
    await bench().ownAll();
    const one = await bench().attach(ONE);
    await bench().harness.route(TOPIC);
    await one.subscribe(true, TOPIC);
    bench().harness.fail(code);
    one.publish([message("1")]);
    await comes(() => expect(one.answers).toEqual([`1.0 ${answer}`]));
    bench().harness.fail(undefined);
    one.publish([message("2")]);
    await comes(() => expect(one.answers).toEqual([`1.0 ${answer}`, "2.0 00"]));
    await comes(() => expect(one.payloads).toEqual(["2"]));
  });

  test("answers wait until gateways with somebody transient have acknowledged", async () => {
    await bench().ownAll();
    const one = await bench().attach(ONE);
    const two = await bench().attach(TWO);
    two.acknowledges = false;
    await two.subscribe(true, TOPIC);
    one.publish([message("1")]);
    one.publish([message("2")]);
    one.publish([message("0", { qos: 0 })]);
    await comes(() => expect(two.payloads).toEqual(["1", "2", "0"]));
    await bench().harness.settle();
    expect(one.answers).toEqual([]);
    two.shards.acknowledged(TWO, two.numbers[0] as number);
    await comes(() => expect(one.answers).toEqual(["1.0 00"]));
    two.acknowledge();
    await comes(() => expect(one.answers).toEqual(["1.0 00", "2.0 00"]));
  });

  test("retained values come by shard, with the owner's epoch, as long as they are the same", async () => {
    await bench().ownAll();
    const { shard, neighbour } = bench();
    const one = await bench().attach(ONE);
    one.publish([
      message("old", { retain: true }),
      message("other", { retain: true, topic: neighbour }),
    ]);
    one.publish([message("new", { retain: true })]);
    await comes(() => expect(one.answers).toHaveLength(3));
    const upTo = await one.subscribe(false, "#");
    const request = { filter: "#", shard, upTo, messages: 1, bytes: 1_000 };
    const first = await one.shards.retained({ ...request, after: undefined });
    const second = await one.shards.retained({ ...request, after: first.next });
    expect([first.epoch, second.epoch]).toEqual([EPOCH, EPOCH]);
    const values = [...first.messages, ...second.messages];
    const { harness } = bench();
    expect(values.map(({ topic }) => topic).sort()).toEqual([TOPIC, neighbour].sort());
    const value = values.find(({ topic }) => topic === TOPIC);
    expect(harness.payload(value?.body ?? Buffer.alloc(0))).toBe("new");
    const offset = value?.offset ?? 0;
    expect(await one.shards.retainedAt(shard, TOPIC, offset)).toBeDefined();
    expect(await one.shards.retainedAt(shard, TOPIC, offset - 1)).toBeUndefined();
    const none = await one.shards.retained({
      ...request,
      upTo: upTo.map(() => EPOCH * OFFSETS_PER_EPOCH),
      after: undefined,
    });
    expect(none.messages).toEqual([]);
  });

  test("receipts are found by session, until they are forgotten", async () => {
    await bench().ownAll();
    const { shard } = bench();
    const one = await bench().attach(ONE);
    const batch = one.publish([message("0", { qos: 0 })], 1);
    await comes(() => expect(one.back).toEqual([1]));
    const { records } = batch;
    const plain = { shard, gateway: ONE, seq: 2, receiptSessions: [0], receiptKeys: [0] };
    const two = one.publish([message("1", { qos: 2 })], 2);
    one.shards.publish({
      ...plain,
      records: two.records,
      seq: 3,
      receiptSessions: [70],
      receiptKeys: [9],
    });
    await comes(() => expect(one.answers).toEqual(["2.0 10", "3.0 10"]));
    expect(records.count).toBe(1);
    expect(await one.shards.receipts(70)).toEqual([{ shard, key: 9 }]);
    expect(await one.shards.receipts(70, [shard])).toEqual([{ shard, key: 9 }]);
    expect(await one.shards.receipts(71, [shard])).toEqual([]);
    await one.shards.forget(shard, 70, 9);
    expect(await one.shards.receipts(70)).toEqual([]);
  });

  test("each message of a shared subscription goes to one member, and to another when that one goes", async () => {
    await bench().ownAll();
    const { harness, shard } = bench();
    const filter = `$share/g/${TOPIC}`;
    const one = await bench().attach(ONE);
    const two = await bench().attach(TWO);
    await harness.route(filter);
    const member = { filter, durable: true, qos: 1, clientId: "c", window: 10 } as const;
    one.shards.join(ONE, { ...member, member: 1 });
    await one.shards.interests(ONE, []);
    one.publish([message("1"), message("2")]);
    await comes(() => expect(one.dispatched.map(({ payload }) => payload)).toEqual(["1", "2"]));
    await comes(() => expect(one.answers).toEqual(["1.0 00", "1.1 00"]));
    const [first, second] = one.dispatched.map(({ offset }) => offset) as [number, number];
    one.shards.settle(ONE, 1, shard, first);
    two.shards.join(TWO, { ...member, member: 1 });
    await two.shards.interests(TWO, []);
    one.shards.leave(ONE, 1, [], []);
    await comes(() =>
      expect(two.dispatched).toEqual([{ member: 1, payload: "2", offset: second }]),
    );
    await two.shards.settleDurably(filter, shard, second);
  });

  test("counts what is there", async () => {
    await bench().ownAll();
    const one = await bench().attach(ONE);
    await bench().harness.route(TOPIC);
    one.publish([message("1", { retain: true }), message("2")]);
    await comes(() => expect(one.answers).toHaveLength(2));
    await comes(() =>
      expect(one.shards.counts()).toMatchObject({
        retained: 1,
        queuedMessages: 2,
        storedMessages: 2,
      }),
    );
  });
}
