import { describe, expect, test } from "vitest";
import { Cluster } from "./cluster.ts";

describe("a group", () => {
  test("of one voter leads at once, without an election timeout", async () => {
    const cluster = await Cluster.of(1);
    const [node] = cluster.nodes;
    await cluster.turns(20);
    expect(cluster.time.now()).toBe(0);
    expect(node!.heard.leading).toEqual(["true 2"]);
    const answer = node!.group().propose(Buffer.from("a"));
    await cluster.turns(20);
    expect(await answer).toEqual({ type: "committed", index: 3, result: 1 });
  });

  test("of three elects one leader, and all apply what it commits", async () => {
    const cluster = await Cluster.of(3);
    const leader = await cluster.elected();
    expect(cluster.nodes.filter((node) => node.leads)).toEqual([leader]);
    expect(await cluster.propose("a")).toMatchObject({ type: "committed", result: 1 });
    expect(await cluster.propose("b")).toMatchObject({ type: "committed", result: 2 });
    await cluster.until(
      () => cluster.nodes.every((node) => node.machine().lines.length === 2),
      "all to apply",
    );
    for (const node of cluster.nodes) expect(node.machine().lines).toEqual(["a", "b"]);
    for (const node of cluster.followers) {
      expect(await node.group().propose(Buffer.from("c"))).toEqual({
        type: "notLeader",
        leader: leader.group().status.replica,
        node: leader.name,
      });
    }
  });
});
