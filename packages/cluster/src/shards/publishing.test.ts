import { describe, expect, test } from "vitest";
import { settled, World } from "../../test/fake-stores.ts";

const OK = 0;
const FAILED = 0x80;

describe("what is published", () => {
  test("goes to the owner under its epoch, in order, and its answers come back", () => {
    const world = new World([1, 2]);
    world.publish(0, { 1: 1, 2: 0 });
    world.publish(1, { 3: 2 });
    expect(world.store(1).news()).toEqual(["batch 0/1: 1 2"]);
    expect(world.store(2).news()).toEqual(["batch 1/1: 3"]);
    const one = world.store(1);
    one.peer.answered(one.batch(1), 0, OK, 1);
    expect(world.news()).toEqual(["1 of 1: 0x0"]);
    one.peer.released(one.batch(1));
    expect(world.news()).toEqual(["released 1"]);
  });

  test("a new owner gets what has no answer, without QoS 0 and what is answered, then what is new", () => {
    const world = new World([1, 2]);
    world.publish(0, { 1: 1 });
    world.publish(0, { 2: 1, 3: 0, 4: 1 });
    world.publish(0, { 5: 0 });
    world.publish(0, { 6: 2 });
    const [one, two] = [world.store(1), world.store(2)];
    one.peer.answered(one.batch(1), 0, OK, 1);
    one.peer.answered(one.batch(2), 0, OK, 1);
    two.news();
    world.place(0, 2, 2);
    world.publish(0, { 7: 0 });
    expect(two.news()).toEqual([
      "resume 0 under 2 from 2",
      "batch 0/2: 4",
      "batch 0/3:",
      "batch 0/4: 6",
      "known 11",
      "batch 0/5: 7",
    ]);
  });

  test("without anything open a new owner is told of the next number", () => {
    const world = new World([1, 2]);
    world.publish(0, { 1: 1 });
    const one = world.store(1);
    one.peer.answered(one.batch(1), 0, OK, 1);
    world.place(0, 2, 2);
    expect(world.store(2).news()).toContain("resume 0 under 2 from 2");
  });

  test("what a former owner answers is not believed; its buffers are free when it has let go", () => {
    const world = new World([1, 2]);
    world.publish(0, { 1: 1 });
    const [one, two] = [world.store(1), world.store(2)];
    world.place(0, 2, 2);
    world.news();
    one.peer.answered(one.batch(1), 0, OK, 1);
    expect(world.news()).toEqual([]);
    two.peer.answered(two.batch(1), 0, OK, 2);
    two.peer.released(two.batch(1));
    expect(world.news()).toEqual(["1 of 1: 0x0"]);
    one.peer.notTaken(one.batch(1), "not-owner");
    expect(world.news()).toEqual(["released 1"]);
  });

  test("an answer under an epoch that is not the owner's any more is not believed", () => {
    const world = new World([1, 2]);
    world.publish(0, { 1: 1 });
    const one = world.store(1);
    world.place(0, 1, 2);
    world.news();
    one.peer.answered(one.batch(1), 0, OK, 1);
    expect(world.news()).toEqual([]);
  });

  test("a connection that comes back is an attachment anew: everything is said and given again", () => {
    const world = new World([1, 1]);
    world.publish(0, { 1: 1 });
    world.disconnect(1);
    world.publish(0, { 2: 1 });
    world.store(1).news();
    world.connect(1);
    expect(world.store(1).news()).toEqual([
      "register 9",
      "interests",
      "known 10",
      "resume 0 under 1 from 1",
      "batch 0/1: 1",
      "batch 0/2: 2",
      "resume 1 under 1 from 1",
    ]);
  });

  test("behind an error everything is given again at once; the one that failed is not", async () => {
    const world = new World([1, 1]);
    world.publish(0, { 1: 1, 2: 1 });
    world.publish(0, { 3: 1 });
    const one = world.store(1);
    one.news();
    one.peer.answered(one.batch(1), 0, FAILED, 1);
    one.peer.answered(one.batch(1), 1, OK, 1);
    one.peer.released(one.batch(1));
    one.peer.notTaken(one.batch(2), "after-error");
    await settled();
    expect(one.news()).toEqual(["resume 0 under 1 from 2", "batch 0/2: 3"]);
    expect(world.news()).toEqual(["1 of 1: 0x80", "2 of 1: 0x0", "released 1"]);
  });

  test("an owner that is not one, or not yet, is asked again after a while", () => {
    const world = new World([1, 1]);
    world.publish(0, { 1: 1 });
    const one = world.store(1);
    one.news();
    one.peer.notTaken(one.batch(1), "not-owner");
    expect(one.news()).toEqual([]);
    world.time.advance(250);
    expect(one.news()).toEqual(["resume 0 under 1 from 1", "batch 0/1: 1"]);
  });
});

describe("without an owner that can be reached", () => {
  test("QoS 0 is dropped and counted, QoS ≥ 1 waits, and is refused after the wait timeout", () => {
    const world = new World([0, 1]);
    world.publish(0, { 1: 0 });
    world.publish(0, { 2: 0, 3: 1, 4: 2 }, true);
    expect(world.news()).toEqual(["released 1"]);
    expect(world.shards.counters.dropped).toBe(2);
    world.time.advance(4_900);
    expect(world.news()).toEqual([]);
    world.time.advance(400);
    expect(world.news()).toEqual(["3 of 2: 0x80", "4 of 2: 0x80", "released 2"]);
    expect(world.shards.counters.givenUp).toBe(2);
    world.place(0, 1, 2);
    expect(world.store(1).news()).toContain("resume 0 under 2 from 3");
  });

  test("nothing is refused when somebody takes it: what came behind it would be stored all the same", () => {
    const world = new World([0, 1]);
    world.time.advance(100);
    world.publish(0, { 1: 1 }, true);
    world.publish(0, { 2: 1 }, true);
    world.time.advance(5_050);
    world.place(0, 1, 2);
    const given = ["resume 0 under 2 from 1", "batch 0/1: 1", "batch 0/2: 2"];
    expect(world.store(1).news()).toEqual([...given, expect.stringMatching(/^known/)]);
    expect(world.shards.counters.givenUp).toBe(0);
  });

  test("what was refused is taken out of the batch that the next owner gets", () => {
    const world = new World([1, 1]);
    world.publish(0, { 1: 2, 2: 1 }, true);
    world.disconnect(1);
    world.time.advance(5_250);
    expect(world.news()).toEqual(["2 of 1: 0x80"]);
    world.store(1).news();
    world.connect(1);
    expect(world.store(1).news()).toContain("batch 0/1: 1");
  });

  test("QoS 2 that may be stored is never refused, not by the next owner either", () => {
    const world = new World([1, 2]);
    world.publish(0, { 1: 2 }, true);
    world.place(0, 2, 2);
    world.news();
    const two = world.store(2);
    two.peer.answered(two.batch(1), 0, FAILED, 2);
    two.peer.released(two.batch(1));
    expect(world.news()).toEqual([]);
    two.news();
    world.time.advance(250);
    expect(two.news()).toEqual(["resume 0 under 2 from 1", "batch 0/1: 1"]);
    two.peer.answered(two.batch(1), 0, OK, 2);
    expect(world.news()).toEqual(["1 of 1: 0x0"]);
  });

  test("the first owner's refusal counts: nobody else can have it", () => {
    const world = new World([1, 1]);
    world.publish(0, { 1: 2 }, true);
    const one = world.store(1);
    one.peer.answered(one.batch(1), 0, 0x97, 1);
    expect(world.news()).toEqual(["1 of 1: 0x97"]);
  });

  test("there is a bound: beyond it messages are refused, and keep their number", () => {
    const world = new World([1, 1], { maxUnansweredBytes: 20 });
    world.publish(0, { 1: 1, 2: 1, 3: 1 });
    world.publish(0, { 4: 0, 5: 1 });
    expect(world.news()).toEqual(["5 of 2: 0x97"]);
    expect(world.store(1).news()).toEqual(["batch 0/1: 1 2 3", "batch 0/2:"]);
    const { dropped, refused } = world.shards.counters;
    expect({ dropped, refused }).toEqual({ dropped: 1, refused: 1 });
  });
});

describe("a message that is withdrawn", () => {
  test("is given to no other owner, and answered when the one that may have it has gone", () => {
    const world = new World([1, 2]);
    const batch = world.publish(0, { 1: 1, 2: 1 });
    world.shards.withdraw(batch, 0);
    expect(world.news()).toEqual([]);
    world.place(0, 2, 2);
    expect(world.news()).toEqual(["1 of 1: 0x80"]);
    expect(world.store(2).news()).toContain("batch 0/1: 2");
  });

  test("… and, with a receipt, given to the next one without it, until that has answered", () => {
    const world = new World([1, 2]);
    const batch = world.publish(0, { 1: 2, 2: 1 }, true);
    world.shards.withdraw(batch, 0);
    world.place(0, 2, 2);
    const two = world.store(2);
    const given = two.batch(1);
    expect(given.receiptSessions[0]).not.toBe(0);
    expect(given.receiptKeys[0]).toBe(0);
    two.peer.answered(given, 1, OK, 2);
    two.peer.answered(given, 0, 0x80, 2);
    two.peer.released(given);
    world.disconnect(1);
    expect(world.news()).toEqual(["1 of 1: 0x80", "2 of 1: 0x0", "released 1"]);
  });

  test("is answered by its owner if that lives", () => {
    const world = new World([1, 1]);
    const batch = world.publish(0, { 1: 2 }, true);
    world.shards.withdraw(batch, 0);
    const one = world.store(1);
    one.peer.answered(one.batch(1), 0, OK, 1);
    expect(world.news()).toEqual(["1 of 1: 0x0"]);
  });

  test("is answered at once where nobody has it", () => {
    const world = new World([0, 1]);
    const batch = world.publish(0, { 1: 1 });
    world.shards.withdraw(batch, 0);
    expect(world.news()).toEqual(["1 of 1: 0x80", "released 1"]);
  });

  test("is waited for no longer than any other, where its owner can't be reached", () => {
    const world = new World([1, 1]);
    const batch = world.publish(0, { 1: 1 });
    world.shards.withdraw(batch, 0);
    world.disconnect(1);
    world.time.advance(5_250);
    expect(world.news()).toEqual(["1 of 1: 0x80", "released 1"]);
  });
});
