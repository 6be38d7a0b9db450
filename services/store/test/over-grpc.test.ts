/** The store service as gateways reach it: over gRPC, with real sockets. */
import { MemoryDisk } from "@canopy/store/memory";
import { type ShardsHarness, shardsContract } from "@canopy/store/shards-contract";
import { tempDir } from "@canopy/testkit";
import { hold, StoreProcess } from "./process.ts";
import { arrived, serveShards, Wire } from "./wire.ts";

const STORE = 9;

async function makeHarness(address: string): Promise<ShardsHarness> {
  const disk = new MemoryDisk();
  const process = new StoreProcess(disk);
  await process.start();
  const server = await serveShards(process, STORE, { address });
  const wires: Wire[] = [];
  const { control, service } = process;
  return {
    shards: service.shards.shards,
    connect: async () => {
      const wire = new Wire(server.address, STORE);
      wires.push(wire);
      await wire.start();
      return wire.port();
    },
    gatewayUp: async (gateway) => control.gatewayUp(gateway),
    gatewayDown: async (gateway) => control.gatewayDown(gateway),
    own: (shard, epoch, version) => control.own(shard, epoch, version),
    lose: (shard) => control.lose(shard),
    route: (filter) => process.route(filter),
    topic: (name) => process.topic(name),
    record: (message) => process.record(message),
    payload: (record) => process.payload(record),
    hold: () => hold(disk),
    fail: (code) => {
      disk.fault = code;
    },
    settle: async () => {
      for (let i = 0; i < 2; i++) {
        for (const { link } of wires) if (link.port !== undefined) await arrived(link.port);
      }
    },
    stop: async () => {
      disk.gate = undefined;
      for (const wire of wires) await wire.stop();
      await server.stop();
      await service.stop();
    },
  };
}

shardsContract("over TCP", () => makeHarness("127.0.0.1:0"));

shardsContract("over a Unix socket", async () => {
  return makeHarness(`unix:${await tempDir()}/store.sock`);
});
