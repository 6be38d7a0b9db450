import { expect, test } from "vitest";
import { Cluster } from "./cluster/cluster.ts";

test("three replicas elect, replicate, commit and restart", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  expect(cluster.leaders).toEqual([1]);
  expect(cluster.propose(1, "a", "b")).toEqual({ ok: true, index: 3, term: 2 });
  cluster.tick(2);
  for (const replica of cluster.replicas.values()) expect(replica.commands).toEqual(["a", "b"]);

  for (const replica of cluster.replicas.values()) {
    replica.crash();
    replica.restart();
  }
  cluster.elect(2);
  expect(cluster.leaders).toEqual([2]);
  expect(cluster.at(2).core.term).toBe(3);
  cluster.propose(2, "c");
  cluster.tick(2);
  for (const replica of cluster.replicas.values())
    expect(replica.commands).toEqual(["a", "b", "c"]);
});

test("a lone voter elects itself with its own vote on the disk, and commits alone", () => {
  const cluster = new Cluster([1]);
  cluster.elect(1);
  expect(cluster.leaders).toEqual([1]);
  cluster.propose(1, "a");
  expect(cluster.at(1).commands).toEqual(["a"]);
});

test("without anybody's wish a leader is elected by the ticks", () => {
  const cluster = new Cluster([1, 2, 3, 4, 5]);
  cluster.tick(100);
  expect(cluster.leaders).toHaveLength(1);
});

test("a follower that lags behind the compacted log gets a snapshot and follows again", () => {
  const cluster = new Cluster([1, 2, 3]);
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a", "b");
  cluster.at(1).compact();
  cluster.heal();
  cluster.propose(1, "c");
  cluster.tick(3);
  expect(cluster.at(3).core.applied).toBe(5);
  expect(cluster.at(3).commands).toEqual(["c"]);
  expect(cluster.at(1).core.progress().get(3)?.state).toBe("replicate");
});
