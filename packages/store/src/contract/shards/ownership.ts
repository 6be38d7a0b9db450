import { expect, test } from "vitest";
import { OFFSETS_PER_EPOCH } from "../../port.ts";
import { STORED_BEFORE } from "../../shards.ts";
import { outcome } from "../harness.ts";
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
  VERSION,
} from "./harness.ts";

export function ownershipTests(makeHarness: MakeShardsHarness): void {
  const bench = useShards(makeHarness);

  test("a batch that is given again is answered and pushed again, and stored once", async () => {
    await bench().ownAll();
    const one = await bench().resumed(ONE);
    const { harness, shard } = bench();
    await harness.route(TOPIC);
    await one.subscribe(true, TOPIC);
    one.publish([message("1"), message("2")], 1);
    await comes(() => expect(one.answers).toEqual(["1.0 00", "1.1 00"]));
    one.shards.resume(ONE, shard, EPOCH, 1);
    one.publish([message("1"), message("2")], 1);
    one.publish([message("3")], 2);
    await comes(() => expect(one.answers.slice(2)).toEqual(["1.0 00", "1.1 00", "2.0 00"]));
    await comes(() => expect(one.payloads).toEqual(["1", "2", "1", "2", "3"]));
    expect(one.got.map(({ seq }) => seq)).toEqual([1, 1, 1, 1, 2]);
    const again = one.got.slice(2, 4).map(({ offset }) => offset);
    expect(again).toEqual([STORED_BEFORE, STORED_BEFORE]);
    expect((await readAll(bench(), one, TOPIC)).payloads).toEqual(["1", "2", "3"]);
  });

  test("a gap is refused, and what comes behind it", async () => {
    await bench().ownAll();
    const one = await bench().resumed(ONE, 4);
    one.publish([message("4")], 4);
    one.publish([message("6")], 6);
    one.publish([message("5")], 5);
    await comes(() => expect(one.answers).toEqual(["4.0 10", "6 gap", "5 after-error"]));
    expect(one.back).toEqual([4, 6, 5]);
  });

  test("what comes behind an error is not taken until the gateway has resumed", async () => {
    await bench().ownAll();
    const one = await bench().resumed(ONE);
    const { harness, shard } = bench();
    await harness.route(TOPIC);
    harness.fail("unavailable");
    one.publish([message("1")], 1);
    await comes(() => expect(one.answers).toEqual(["1.0 80"]));
    harness.fail(undefined);
    one.publish([message("2")], 2);
    await comes(() => expect(one.answers.slice(1)).toEqual(["2 after-error"]));
    one.shards.resume(ONE, shard, EPOCH, 2);
    one.publish([message("2")], 2);
    await comes(() => expect(one.answers.slice(2)).toEqual(["2.0 00"]));
    expect((await readAll(bench(), one, TOPIC)).payloads).toEqual(["2"]);
  });

  test("messages of QoS ≥ 1 of one gateway leave in its order", async () => {
    await bench().ownAll();
    const one = await bench().resumed(ONE);
    const { harness, neighbour } = bench();
    await harness.route(TOPIC);
    await one.subscribe(true, "#");
    const release = harness.hold();
    one.publish([message("1"), message("2", { topic: neighbour })], 1);
    one.publish([message("3", { topic: neighbour })], 2);
    await harness.settle();
    expect(one.payloads).toEqual([]);
    release();
    await comes(() => expect(one.payloads).toEqual(["1", "2", "3"]));
  });

  test("a shard that is not this process's: not-owner", async () => {
    const one = await bench().attach(ONE);
    const { shard } = bench();
    const read = { shard, queues: [{ queue: TOPIC, after: 0 }], messages: 1, bytes: 1 };
    const page = { filter: TOPIC, shard, upTo: [], after: undefined, messages: 1, bytes: 1 };
    expect(await outcome(one.shards.read([read]))).toBe("not-owner");
    expect(await outcome(one.shards.retained(page))).toBe("not-owner");
    expect(await outcome(one.shards.retainedAt(shard, TOPIC, 1))).toBe("not-owner");
    expect(await outcome(one.shards.receipts(7, [shard]))).toBe("not-owner");
    expect(await outcome(one.shards.forget(shard, 7, 1))).toBe("not-owner");
    expect(await outcome(one.shards.settleDurably(`$share/g/${TOPIC}`, shard, 1))).toBe(
      "not-owner",
    );
  });

  test("heads are those of the shards that the process owns", async () => {
    const { harness, shard } = bench();
    await harness.own(shard, EPOCH, 1);
    const one = await bench().attach(ONE);
    const heads = await one.subscribe(false, "#");
    expect(heads).toHaveLength(harness.shards);
    for (const [i, head] of heads.entries()) {
      expect(head).toBe(i === shard ? EPOCH * OFFSETS_PER_EPOCH : 0);
    }
  });

  test("batches to an epoch that is not known yet wait for it", async () => {
    const one = await bench().resumed(ONE);
    const { harness, shard } = bench();
    one.publish([message("1")], 1);
    await harness.settle();
    expect(one.answers).toEqual([]);
    await harness.own(shard, EPOCH, VERSION);
    await comes(() => expect(one.answers).toEqual(["1.0 10"]));
  });

  test("batches wait until every live gateway knows the shard's owner", async () => {
    const one = await bench().resumed(ONE);
    const two = await bench().attach(TWO);
    const { harness, shard } = bench();
    one.publish([message("1")], 1);
    const owned = harness.own(shard, EPOCH, 20);
    one.shards.known(ONE, 20);
    await harness.settle();
    expect(one.answers).toEqual([]);
    const interest = two.subscribe(true, TOPIC);
    two.shards.known(TWO, 20);
    await Promise.all([owned, interest]);
    await comes(() => expect(two.payloads).toEqual(["1"]));
    await comes(() => expect(one.answers).toEqual(["1.0 00"]));
  });

  test("a shard that goes to somebody else: what is under way is given back, and taken when it returns", async () => {
    await bench().ownAll();
    const one = await bench().resumed(ONE);
    const { harness, shard } = bench();
    await harness.route(TOPIC);
    const release = harness.hold();
    one.publish([message("1")], 1);
    one.publish([message("2")], 2);
    await harness.settle();
    const lost = harness.lose(shard);
    await comes(() => expect(one.answers).toEqual(["1 not-owner", "2 not-owner"]));
    release();
    await lost;
    one.publish([message("3")], 3);
    await comes(() => expect(one.answers.slice(2)).toEqual(["3 not-owner"]));
    await harness.own(shard, EPOCH + 1, VERSION);
    one.shards.resume(ONE, shard, EPOCH + 1, 1);
    for (const seq of [1, 2, 3]) one.publish([message(`${seq}`)], seq);
    await comes(() => expect(one.answers.slice(3)).toEqual(["1.0 00", "2.0 00", "3.0 00"]));
    const read = await readAll(bench(), one, TOPIC);
    expect(read).toMatchObject({ epoch: EPOCH + 1, payloads: ["1", "2", "3"] });
  });

  test("a gateway that is down has no effect, and is attached no more", async () => {
    await bench().ownAll();
    const { harness, shard } = bench();
    const one = await bench().attach(ONE);
    const two = await bench().resumed(TWO);
    two.acknowledges = false;
    await two.subscribe(true, TOPIC);
    one.publish([message("1")]);
    await comes(() => expect(two.payloads).toEqual(["1"]));
    expect(one.answers).toEqual([]);
    await harness.gatewayDown(TWO);
    await comes(() => expect(one.answers).toEqual(["1.0 00"]));
    two.shards.register(TWO, two);
    two.shards.resume(TWO, shard, EPOCH, 1);
    two.publish([message("late")], 1);
    one.publish([message("2")]);
    await comes(() => expect(one.answers).toEqual(["1.0 00", "2.0 10"]));
    await harness.settle();
    expect(two.payloads).toEqual(["1"]);
    expect(two.answers).toEqual([]);
  });

  test("an attachment that is replaced: the new one begins with what was not acknowledged, before what comes", async () => {
    await bench().ownAll();
    const { harness } = bench();
    const one = await bench().resumed(ONE);
    const two = await bench().attach(TWO);
    two.acknowledges = false;
    await two.subscribe(true, TOPIC);
    one.publish([message("1")], 1);
    await comes(() => expect(two.payloads).toEqual(["1"]));
    two.shards.unregister(TWO);
    await harness.settle();
    expect(one.answers).toEqual([]);
    const again = await bench().attach(TWO);
    one.publish([message("2")], 2);
    await again.subscribe(true, TOPIC);
    one.publish([message("3")], 3);
    again.shards.known(TWO, VERSION);
    await comes(() => expect(one.answers).toEqual(["1.0 00", "2.0 00", "3.0 00"]));
    expect(again.payloads).toEqual(["1", "2", "3"]);
    expect(again.numbers).toEqual([1, 2, 3]);
  });
}
