import { readFile } from "node:fs/promises";
import { tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";
import { planCluster } from "./plan.ts";

const counts = { gateways: 2, sessions: 3, stores: 1, backend: "leveldb", env: {} } as const;

test("each process has a name, a configuration and ports of its own, and knows the session nodes", async () => {
  const folder = await tempDir();
  const plans = await planCluster({ ...counts, folder, settings: {} });
  const names = plans.map(({ name }) => name);
  expect(names).toEqual([
    "session-1",
    "session-2",
    "session-3",
    "store-1",
    "gateway-1",
    "gateway-2",
  ]);
  const addresses = plans.flatMap(({ address, mqtt, ws }) => {
    return [address, mqtt?.port, ws?.url].filter((place) => place !== undefined);
  });
  expect(new Set(addresses).size).toBe(8);
  for (const { config } of plans) {
    const { cluster } = JSON.parse(await readFile(config, "utf8"));
    expect(cluster.nodes).toEqual([1, 2, 3].map((i) => `session-${i}=${plans[i - 1]?.address}`));
  }
});

test("settings by kind of process count over what is planned, section by section", async () => {
  const folder = await tempDir();
  const settings = { store: { limits: { maxQueuedMessages: 5 }, store: { segmentBytes: 4096 } } };
  const plans = await planCluster({ ...counts, folder, settings });
  const written = JSON.parse(await readFile(plans[3]?.config ?? "", "utf8"));
  expect(written).toMatchObject({
    limits: { maxQueuedMessages: 5 },
    store: { backend: "leveldb", segmentBytes: 4096 },
    node: { name: "store-1" },
    data: plans[3]?.data,
  });
});

test("two clusters at the same time have no port in common", async () => {
  const folder = await tempDir();
  const plan = (name: string) =>
    planCluster({ ...counts, folder: `${folder}/${name}`, settings: {} });
  const both = await Promise.all([plan("a"), plan("b")]);
  const ports = both.flat().flatMap(({ address, mqtt }) => [address ?? `${mqtt?.port}`]);
  expect(new Set(ports).size).toBe(12);
});

test("others are told the address that a process is put behind, and it listens at its own", async () => {
  const folder = await tempDir();
  const through = async (name: string) => `${name}:1`;
  const plans = await planCluster({ ...counts, folder, settings: {}, through });
  const nodes = [1, 2, 3].map((i) => `session-${i}=session-${i}:1`);
  for (const { name, config, address } of plans) {
    const { rpc, cluster } = JSON.parse(await readFile(config, "utf8"));
    expect(cluster.nodes).toEqual(nodes);
    if (name.startsWith("gateway")) continue;
    expect({ address, advertise: rpc.advertise }).toEqual({
      address: `${name}:1`,
      advertise: `${name}:1`,
    });
    expect(rpc.listen).toMatch(/^127\.0\.0\.1:\d+$/);
  }
});
