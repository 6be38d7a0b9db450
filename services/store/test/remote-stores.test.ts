/** Which store processes a gateway has links to. */
import { silentLogger } from "@canopy/base";
import { type Change, ClusterView } from "@canopy/control";
import { RemoteStores } from "@canopy/main/cluster";
import { MemoryDisk } from "@canopy/store/memory";
import { testScope, waitFor } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import { expect, test } from "vitest";
import { SHARDS } from "./harness.ts";
import { StoreProcess } from "./process.ts";
import { serveShards } from "./wire.ts";

/** A store process of this incarnation; its address. */
async function serve(store: number): Promise<string> {
  const scope = testScope();
  const process = new StoreProcess(new MemoryDisk());
  await process.start();
  scope.defer(() => process.service.stop());
  const server = await serveShards(process, store);
  scope.defer(() => server.stop());
  return server.address;
}

test("those of the view, from when they join until they are down", async () => {
  const view = new ClusterView();
  const shards = SHARDS;
  view.load({
    version: 1,
    shards,
    groups: 1,
    members: [],
    down: [],
    places: [],
    nodes: [],
    bans: [],
  });
  let version = 1;
  const commit = (change: Change): void => view.apply([{ version: ++version, change }], version);
  const join = (incarnation: number, address: string): void => {
    const member = { kind: "store", incarnation, name: "s", address, disk: "" } as const;
    commit({ type: "member-up", member });
  };
  const topics = new TopicTable(shards);
  const logger = silentLogger;
  const stores = new RemoteStores({ view, topics: () => topics, tls: undefined, logger });
  testScope().defer(() => stores.stop());
  const states: string[] = [];
  stores.listen({
    connected: (store) => states.push(`${store} is there: ${stores.get(store) !== undefined}`),
    disconnected: (store) => states.push(`${store} is there: ${stores.get(store) !== undefined}`),
  });

  join(2, await serve(2));
  await stores.start();
  await waitFor(() => stores.get(2));
  join(3, await serve(3));
  await waitFor(() => stores.get(3));
  expect(stores.get(4)).toBeUndefined();
  expect(states.splice(0)).toEqual(["2 is there: true", "3 is there: true"]);

  const before = stores.get(2);
  stores.reset(2);
  expect(states.splice(0)).toEqual(["2 is there: false"]);
  await waitFor(() => stores.get(2));
  expect(stores.get(2)).not.toBe(before);
  expect(states.splice(0)).toEqual(["2 is there: true"]);

  commit({ type: "store-down", incarnation: 3 });
  expect(states).toEqual(["3 is there: false"]);
  expect(stores.get(3)).toBeUndefined();
  expect(stores.get(2)).toBeDefined();
});
