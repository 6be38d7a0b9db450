/** Session nodes that come and go, with all groups of a cluster. */
import { waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { NodeCluster } from "../../test/session-nodes.ts";

const FOUNDERS = ["n1", "n2", "n3"];

test("a node that is new joins every group, as a learner first; its groups have its replica", async () => {
  const cluster = await NodeCluster.start(FOUNDERS);
  const joined = await cluster.begin("n4");
  await joined.entered;
  await cluster.settle("n1", "n2", "n3", "n4");
  const { view } = joined.node.control;
  expect(view.node("n4")).toMatchObject({ replica: 101, standing: "member", address: "n4:1" });
  expect(joined.ended).toEqual([]);
});

test("a node that is removed hands over what it leads, leaves every group, and is not let in again unasked", async () => {
  const cluster = await NodeCluster.start(FOUNDERS);
  await (await cluster.begin("n4")).entered;
  await cluster.settle("n1", "n2", "n3", "n4");
  const { client } = cluster.of("n2");
  const leaving = cluster.of("n1");
  await client.wish({ name: "n1", wish: "remove" });
  await cluster.settle("n2", "n3", "n4");
  const left = () => cluster.of("n2").node.control.view.nodeEntry("n1")?.standing === "left";
  await waitFor(left);
  await waitFor(() => leaving.ended.length > 0);
  expect(leaving.ended).toEqual(["n1 has left the cluster"]);
  await cluster.kill("n1");
  const again = await cluster.begin("n1");
  await waitFor(() => again.node.waitsFor.length > 0);
  expect(again.node.waitsFor[0]).toContain("canopy admin cluster add n1");
  await client.wish({ name: "n1", wish: "add" });
  await again.entered;
  await cluster.settle("n1", "n2", "n3", "n4");
  expect(again.node.control.view.node("n1")?.replica).toBe(102);
});

test("a node that lost its disk waits, is replaced, and comes back as another replica", async () => {
  const cluster = await NodeCluster.start(FOUNDERS);
  await cluster.kill("n2");
  const back = await cluster.begin("n2", "new disk");
  await waitFor(() => back.node.waitsFor[0]?.includes("cluster replace n2") === true);
  await cluster.of("n1").client.wish({ name: "n2", wish: "replace" });
  await back.entered;
  await cluster.settle("n1", "n2", "n3");
  expect(back.node.control.view.node("n2")?.replica).toBe(101);
  // It counts: with another one away there is a majority.
  await cluster.kill("n1");
  await waitFor(() => cluster.leaders().every((leader) => leader !== undefined));
  await cluster.of("n3").client.wish({ name: "n3", wish: "drain" });
});

test("leaders are spread over the nodes, and back after a failure; a drained node leads nothing", async () => {
  const cluster = await NodeCluster.start(FOUNDERS);
  const spread = ["n1", "n2", "n3", "n1"];
  await waitFor(() => cluster.leaders().join() === spread.join());
  await cluster.kill("n2");
  await waitFor(() => cluster.leaders().every((leader) => leader !== undefined && leader !== "n2"));
  await (await cluster.begin("n2")).entered;
  await waitFor(() => cluster.leaders().join() === spread.join());
  await cluster.of("n3").client.wish({ name: "n1", wish: "drain" });
  await waitFor(() => cluster.leaders().every((leader) => leader !== undefined && leader !== "n1"));
  await cluster.of("n3").client.wish({ name: "n1", wish: "resume" });
  await waitFor(() => cluster.leaders().join() === spread.join());
});

test("whoever leads at each step: a node joins, while another leaves, and leaders are killed", async () => {
  const cluster = await NodeCluster.start(FOUNDERS);
  const { client } = cluster.of("n3");
  const joined = await cluster.begin("n4");
  await client.wish({ name: "n1", wish: "remove" });
  for (const group of [0, 1, 2]) {
    await waitFor(() => cluster.leader(group) !== undefined);
    const { name } = cluster.leader(group) as { name: string };
    if (name === "n3" || name === "n1") continue;
    await cluster.kill(name);
    await cluster.begin(name);
  }
  await joined.entered.catch(() => {});
  await cluster.settle("n2", "n3", "n4");
});

test("a node that is started again while it leaves goes on being a voter until the others can do without", async () => {
  const cluster = await NodeCluster.start(FOUNDERS);
  await cluster.kill("n2");
  await cluster.of("n3").client.wish({ name: "n1", wish: "remove" });
  await cluster.kill("n1");
  await (await cluster.begin("n1")).entered;
  // Without it there would be one of three.
  await waitFor(() => cluster.leaders().every((leader) => leader !== undefined));
  expect(cluster.voters()[1]).toHaveLength(3);
  await cluster.begin("n2");
  await cluster.settle("n2", "n3");
});
