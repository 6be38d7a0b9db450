import { describe, expect, test } from "vitest";
import type { ReadAnswer } from "../../src/host/port.ts";
import { Cluster, TICK } from "./cluster.ts";

describe("a read", () => {
  test("sees what was committed before it was asked for, on every replica", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    for (let i = 1; i <= 5; i++) {
      const proposed = await cluster.propose(`p${i}`);
      const index = proposed.type === "committed" ? proposed.index : 0;
      for (const node of cluster.nodes) {
        const read = await cluster.answer(node.group().read());
        expect(read).toMatchObject({ type: "ready" });
        expect(read.type === "ready" && read.index).toBeGreaterThanOrEqual(index);
        expect(node.machine().lines).toHaveLength(i);
      }
    }
  });

  test("shares its round with all that come in the same turn", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    await cluster.propose("a");
    await cluster.ticks(2);
    const before = cluster.network.beats;
    const answers: ReadAnswer[] = [];
    for (let i = 0; i < 500; i++) {
      void leader
        .group()
        .read()
        .then((answer) => answers.push(answer));
    }
    await cluster.turns(8);
    expect(answers).toHaveLength(500);
    expect(new Set(answers.map(({ type }) => type))).toEqual(new Set(["ready"]));
    // A heartbeat to each of the two, and its answer.
    expect(cluster.network.beats - before).toBe(4);
  });

  test("is not answered by a leader that was deposed and does not know", async () => {
    const cluster = await Cluster.of(3);
    const old = await cluster.elected();
    await cluster.propose("a");
    cluster.network.isolate(old.name);
    const next = await cluster.until(
      () => cluster.nodes.find((node) => node !== old && node.leads),
      "another leader",
    );
    const read = old.group().read();
    await cluster.answer(next.group().propose(Buffer.from("b")));
    expect(await cluster.answer(read)).toEqual({ type: "notLeader", leader: 0, node: undefined });
  });

  test("of a follower whose question is lost is asked again", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    const follower = cluster.followers[0]!;
    await cluster.propose("a");
    let lost = 0;
    cluster.network.drops = ({ envelopes }, to) => {
      const asks = envelopes.some(({ message }) => message.type === "readIndex");
      return to === leader.name && asks && ++lost <= 1;
    };
    expect(await cluster.answer(follower.group().read())).toMatchObject({ type: "ready" });
    expect(lost).toBeGreaterThan(1);
  });

  test("where no leader is known is answered so", async () => {
    const cluster = await Cluster.of(3);
    const answer = cluster.nodes[0]!.group().read();
    expect(await cluster.answer(answer)).toMatchObject({ type: "notLeader", leader: 0 });
  });

  test("beyond the bound is refused", async () => {
    const cluster = await Cluster.of(3, { maxProposals: 5 });
    const leader = await cluster.elected();
    const reads = Array.from({ length: 7 }, () => leader.group().read());
    const types = (await cluster.answer(Promise.all(reads))).map(({ type }) => type);
    expect(types.slice(0, 5)).toEqual(Array(5).fill("ready"));
    expect(types.slice(5)).toEqual(["overloaded", "overloaded"]);
  });

  test("that no leader ever confirms are answered after a while", async () => {
    const cluster = await Cluster.of(3);
    await cluster.elected();
    await cluster.propose("a");
    // The leader is heard, and does not hear what it is asked.
    cluster.network.drops = ({ envelopes }) =>
      envelopes.some(({ message }) => message.type === "readIndex");
    const began = cluster.time.now();
    const answer = await cluster.answer(cluster.followers[0]!.group().read());
    expect(answer).toEqual({ type: "unavailable", message: "no leader has confirmed it" });
    expect(cluster.time.now() - began).toBeGreaterThanOrEqual(3 * 10 * TICK);
    cluster.network.drops = () => false;
    expect(await cluster.answer(cluster.followers[0]!.group().read())).toMatchObject({
      type: "ready",
    });
  });
});
