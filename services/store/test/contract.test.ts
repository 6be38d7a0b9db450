import { MemoryDisk } from "@canopy/store/memory";
import { type ShardsHarness, shardsContract } from "@canopy/store/shards-contract";
import { settled } from "./harness.ts";
import { hold, StoreProcess } from "./process.ts";

async function makeHarness(): Promise<ShardsHarness> {
  const disk = new MemoryDisk();
  const process = new StoreProcess(disk);
  await process.start();
  const { control, service } = process;
  return {
    shards: service.shards.shards,
    connect: async () => service.shards,
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
    settle: settled,
    stop: async () => {
      disk.gate = undefined;
      await service.stop();
    },
  };
}

shardsContract("in one process", makeHarness);
