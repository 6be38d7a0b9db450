import { describe, expect, test } from "vitest";
import type { Answer } from "../../src/host/port.ts";
import { Cluster } from "./cluster.ts";

const text = (line: string) => Buffer.from(line);

describe("proposals", () => {
  test("of one turn go in one piece and are answered in order", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    await cluster.propose("first");
    const before = leader.machine().batches;
    const answers: Answer[] = [];
    for (let i = 0; i < 100; i++) {
      void leader
        .group()
        .propose(text(`p${i}`))
        .then((answer) => answers.push(answer));
    }
    await cluster.until(() => answers.length === 100, "all answers");
    expect(leader.machine().batches - before).toBe(1);
    expect(answers.map((answer) => answer.type === "committed" && answer.result)).toEqual(
      answers.map((_, i) => i + 2),
    );
  });

  test("beyond the bounds of number and bytes are refused, and those before are not lost", async () => {
    const cluster = await Cluster.of(3, { maxProposals: 10, maxProposalBytes: 1_000 });
    const leader = await cluster.elected();
    const many = Array.from({ length: 12 }, (_, i) => leader.group().propose(text(`m${i}`)));
    const answered = await cluster.answer(Promise.all(many));
    expect(answered.slice(0, 10).every(({ type }) => type === "committed")).toBe(true);
    expect(answered.slice(10)).toEqual([{ type: "overloaded" }, { type: "overloaded" }]);
    const large = ["a", "b", "c"].map((c) => leader.group().propose(text(c.repeat(400))));
    const types = (await cluster.answer(Promise.all(large))).map(({ type }) => type);
    expect(types).toEqual(["committed", "committed", "overloaded"]);
    // What was answered makes room.
    expect(await cluster.propose("later")).toMatchObject({ type: "committed" });
  });

  test("that wait when leadership ends are indeterminate; with the same origin each is applied once", async () => {
    const cluster = await Cluster.of(3);
    const old = await cluster.elected();
    await cluster.propose("before");
    cluster.network.isolate(old.name);
    const waiting = [1, 2, 3].map((sequence) =>
      old.group().propose(text(`w${sequence}`), { client: 77, sequence }),
    );
    expect(await cluster.answer(Promise.all(waiting))).toEqual(
      waiting.map(() => ({ type: "indeterminate" })),
    );
    const next = await cluster.until(
      () => cluster.nodes.find((node) => node !== old && node.leads),
      "another leader",
    );
    for (const sequence of [1, 2, 3]) {
      const again = next.group().propose(text(`w${sequence}`), { client: 77, sequence });
      expect(await cluster.answer(again)).toMatchObject({ type: "committed" });
    }
    cluster.network.heal();
    const all = ["before", "w1", "w2", "w3"];
    await cluster.until(
      () => cluster.nodes.every((node) => node.machine().lines.length === all.length),
      "the old leader to follow",
    );
    for (const node of cluster.nodes) expect(node.machine().lines).toEqual(all);
  });

  test("whose entry committed although the answer was lost are repeated, and not applied again", async () => {
    const cluster = await Cluster.of(3);
    const old = await cluster.elected();
    // The followers get the entry; their answers do not come back.
    cluster.network.drops = (_, to) => to === old.name;
    const origin = { client: 5, sequence: 1 };
    const lost = old.group().propose(text("once"), origin);
    expect(await cluster.answer(lost)).toEqual({ type: "indeterminate" });
    const next = await cluster.until(
      () => cluster.nodes.find((node) => node !== old && node.leads),
      "another leader",
    );
    cluster.network.drops = () => false;
    const again = next.group().propose(text("once"), origin);
    expect(await cluster.answer(again)).toEqual({ type: "repeated" });
    await cluster.until(() => old.machine().lines.length > 0, "the old leader to follow");
    for (const node of cluster.nodes) expect(node.machine().lines).toEqual(["once"]);
  });

  test("of a client are taken in its order: what is missing is asked for", async () => {
    const cluster = await Cluster.of(1);
    const [node] = cluster.nodes;
    const propose = (sequence: number) =>
      cluster.answer(node!.group().propose(text(`s${sequence}`), { client: 1, sequence }));
    await cluster.elected();
    expect(await propose(2)).toEqual({ type: "gap", last: 0 });
    expect(await propose(1)).toMatchObject({ type: "committed" });
    expect(await propose(3)).toEqual({ type: "gap", last: 1 });
    expect(await propose(2)).toMatchObject({ type: "committed" });
    expect(await propose(1)).toEqual({ type: "repeated" });
    expect(node!.machine().lines).toEqual(["s1", "s2"]);
  });

  test("of a client that ended leave nothing behind in the table", async () => {
    const cluster = await Cluster.of(1);
    const [node] = cluster.nodes;
    await cluster.elected();
    const propose = (sequence: number) =>
      cluster.answer(node!.group().propose(text("x"), { client: 9, sequence }));
    await propose(1);
    expect(await cluster.answer(node!.group().endClient(9))).toMatchObject({ type: "committed" });
    expect(await propose(2)).toEqual({ type: "gap", last: 0 });
  });
});

describe("a transfer of leadership", () => {
  test("ends with the other one leading; proposals go on there", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    await cluster.propose("a");
    const to = cluster.followers[0]!;
    const replica = to.group().status.replica;
    const answer = await cluster.answer(leader.group().transferLeadership(replica));
    expect(answer).toMatchObject({ type: "done" });
    expect(await cluster.propose("b", to)).toMatchObject({ type: "committed", result: 2 });
    expect(leader.heard.leading.at(-1)).toMatch(/^false/);
  });

  test("to one that does not answer is refused in the end, and the leader goes on", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    const silent = cluster.followers[0]!;
    cluster.network.isolate(silent.name);
    const replica = silent.group().status.replica;
    expect(await cluster.answer(leader.group().transferLeadership(replica))).toMatchObject({
      type: "refused",
    });
    expect(await cluster.propose("after", leader)).toMatchObject({ type: "committed" });
  });
});
