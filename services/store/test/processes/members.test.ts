/** Store processes as members of a cluster: they join, are killed, stand still, and come back. */
import { ShardsService } from "@canopy/rpc";
import { waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { healthOf, plain } from "../../../../packages/rpc/test/health.ts";
import { SHARDS, Stores } from "./stores.ts";
import { Witness } from "./witness.ts";

/** ms; so long that no lease ends in these tests by itself. */
const LONG_LEASE = 30_000;
/** ms; long enough for a machine that has other things to do. */
const SHORT_LEASE = 2_000;

test("one that is killed comes back with its disk, and has its shards at once", async () => {
  const stores = await Stores.make({ settings: { "cluster.lease": LONG_LEASE } });
  const process = stores.of("s1");
  process.start();
  expect(await process.ready()).toMatchObject({ name: "s1" });
  const first = await stores.member("s1");
  const epochs = await stores.owns(first.incarnation, SHARDS);
  await process.kill();
  process.start();
  await process.ready();
  const second = await stores.member("s1", first.incarnation);
  expect(second).toMatchObject({ disk: first.disk, address: first.address });
  const later = await stores.owns(second.incarnation, SHARDS);
  for (const [shard, epoch] of later.entries()) expect(epoch).toBeGreaterThan(epochs[shard] ?? 0);
});

test("shards are given out when as many are there as expected, and stay with their disk", async () => {
  const settings = { "cluster.stores": 2, "cluster.lease": LONG_LEASE };
  const stores = await Stores.make({ settings });
  const [one, two] = [stores.of("s1"), stores.of("s2")];
  one.start();
  await one.ready();
  const first = await stores.member("s1");
  expect(stores.owned(first.incarnation)).toBe(0);
  two.start();
  await two.ready();
  const second = await stores.member("s2");
  await stores.owns(first.incarnation, SHARDS / 2);
  await stores.owns(second.incarnation, SHARDS / 2);
  // A planned end: nobody waits for its lease, and nobody else gets what is on its disk.
  expect(await two.kill("SIGTERM")).toMatchObject({ code: 0 });
  await stores.isDown(second.incarnation);
  expect(stores.owned(first.incarnation)).toBe(SHARDS / 2);
  two.start();
  await two.ready();
  const third = await stores.member("s2", second.incarnation);
  await stores.owns(third.incarnation, SHARDS / 2);
  expect(stores.owned(first.incarnation)).toBe(SHARDS / 2);
});

test("one that stood still for longer than its lease begins a new life by itself", async () => {
  const stores = await Stores.make({ settings: { "cluster.lease": SHORT_LEASE } });
  const process = stores.of("s1");
  process.start();
  await process.ready();
  const { incarnation } = await stores.member("s1");
  await stores.owns(incarnation, SHARDS);
  process.signal("SIGSTOP");
  await stores.isDown(incarnation);
  expect(stores.owned(incarnation)).toBe(0);
  process.signal("SIGCONT");
  await process.says("the cluster counts this process as dead");
  await process.says("member of the cluster again");
  const { incarnation: next } = await stores.member("s1", incarnation);
  await stores.owns(next, SHARDS);
});

test("what one that stood still past its lease has in its sockets it does not answer", async () => {
  const stores = await Stores.make({ settings: { "cluster.lease": SHORT_LEASE } });
  const { nodes } = stores;
  const process = stores.of("s1");
  process.start();
  await process.ready();
  const { incarnation } = await stores.member("s1");
  await stores.owns(incarnation, SHARDS);
  const witness = await Witness.of(stores, incarnation);
  witness.publish("t");
  await waitFor(() => witness.heard.includes("answer 0 0x10"));
  // Nobody can tell it whether others count it as dead: it has its clock alone.
  for (const one of [...nodes.names.map((name) => nodes.of(name)), process]) one.signal("SIGSTOP");
  const since = performance.now();
  witness.publish("t");
  await waitFor(() => performance.now() - since > SHORT_LEASE);
  process.signal("SIGCONT");
  await waitFor(() => witness.heard.length > 1);
  expect(witness.heard).toEqual(["answer 0 0x10", "not taken 2 not-owner"]);
  for (const name of nodes.names) nodes.of(name).signal("SIGCONT");
  await process.says(/the lease is renewed|member of the cluster again/);
});

test("without a leader its lease runs out, and is renewed when there is one", async () => {
  const stores = await Stores.make({ settings: { "cluster.lease": SHORT_LEASE } });
  const { nodes } = stores;
  const process = stores.of("s1");
  process.start();
  await process.ready();
  const { incarnation } = await stores.member("s1");
  await stores.owns(incarnation, SHARDS);
  await Promise.all(["n1", "n2"].map((name) => nodes.of(name).kill()));
  await process.says("the lease has run out");
  const { address } = await stores.member("s1");
  const one = plain(address);
  await waitFor(async () => (await healthOf(one, ShardsService.typeName)) === "NOT_SERVING");
  for (const name of ["n1", "n2"]) nodes.of(name).start();
  await process.says("the lease is renewed");
  await waitFor(async () => (await healthOf(one, ShardsService.typeName)) === "SERVING");
  expect(stores.view.member(incarnation)).toMatchObject({ name: "s1" });
  expect(stores.owned(incarnation)).toBe(SHARDS);
});

test("it waits for a cluster that is not there yet, and says for whom", async () => {
  const stores = await Stores.make();
  const { nodes } = stores;
  await Promise.all(nodes.names.map((name) => nodes.of(name).kill()));
  const process = stores.of("s1");
  process.start();
  const { msg } = await process.says("waiting for the session nodes");
  expect(msg).toContain(`n2 (${nodes.address("n2")})`);
  for (const name of nodes.names) nodes.of(name).start();
  await process.ready();
  const { incarnation } = await stores.member("s1");
  await stores.owns(incarnation, SHARDS);
});
