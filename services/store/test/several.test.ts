import { routedShardsContract, type ShardsHarness } from "@canopy/store/shards-contract";
import { testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { RecordingPeer } from "./harness.ts";
import { OverGrpc } from "./over-grpc.ts";
import { hold } from "./process.ts";
import { type Reach, Several } from "./several.ts";

const GATEWAY = 100;
const TOPIC = "a";

const REACHES = [
  { name: "two processes, found by who asks", reach: () => undefined },
  { name: "two processes over gRPC, found by who asks", reach: () => new OverGrpc() },
] as const;

for (const { name, reach } of REACHES) routedShardsContract(name, () => makeHarness(reach()));

async function makeHarness(reach: Reach | undefined): Promise<ShardsHarness> {
  const several = new Several(reach);
  await several.start();
  const { disk, first, processes } = several;
  return {
    shards: first.shards.shards,
    connect: async () => several.connect(),
    gatewayUp: async (gateway) => {
      for (const { control } of processes.values()) control.gatewayUp(gateway);
    },
    gatewayDown: async (gateway) => {
      for (const { control } of processes.values()) control.gatewayDown(gateway);
    },
    own: (shard, epoch) => several.own(shard, epoch),
    lose: async (shard) => {
      for (const { control } of processes.values()) await control.lose(shard);
    },
    route: async (filter) => {
      for (const process of processes.values()) await process.route(filter);
    },
    topic: (name) => first.topic(name),
    record: (message) => first.record(message),
    payload: (record) => first.payload(record),
    hold: () => hold(disk),
    fail: (code) => {
      disk.fault = code;
    },
    settle: () => several.settle(),
    stop: () => several.stop(),
  };
}

describe.each(REACHES)("$name: an owner that goes", ({ reach }) => {
  /** With a gateway that has a transient subscriber, and a durable one somewhere. */
  async function start() {
    const several = new Several(reach());
    testScope().defer(() => several.stop());
    const { first, processes } = several;
    const { shard } = first.topic(TOPIC);
    for (const { sessions } of processes.values()) {
      sessions.filters.add(TOPIC);
      sessions.live.add(7);
    }
    await several.start();
    for (const { control } of processes.values()) control.gatewayUp(GATEWAY);
    await several.own(shard, 1, 1);
    const shards = several.connect();
    const peer = new RecordingPeer(GATEWAY, shards);
    shards.register(GATEWAY, peer);
    await shards.interests(GATEWAY, [{ filter: TOPIC, add: true, transient: true }]);
    const publish = (seq: number, payload: string, receipt?: readonly [number, number]): void => {
      const qos = receipt === undefined ? 1 : 2;
      const message = { topic: TOPIC, payload, qos, ...(receipt && { receipt }) } as const;
      shards.publish({ ...first.batch(GATEWAY, [message]), seq });
    };
    const stored = async (): Promise<string[]> => {
      const queues = [{ queue: TOPIC, after: 0 }];
      const [read] = await shards.read([{ shard, queues, messages: 100, bytes: 1_000_000 }]);
      const messages = read?.messages ?? [];
      return messages.map(({ bytes, start, end }) => first.payload(bytes.subarray(start, end)));
    };
    return { several, shard, shards, peer, publish, stored };
  }

  test("before its append is done: the next one stores it, and it comes once", async () => {
    const { several, shard, peer, publish, stored } = await start();
    publish(1, "1");
    await waitFor(() => peer.answers.length === 1);
    const release = hold(several.disk);
    publish(2, "2");
    publish(3, "3", [7, 9]);
    await several.settle();
    several.down(1);
    const owned = several.own(shard, 2, 2);
    release();
    await owned;
    await waitFor(() => peer.answers.length === 3);
    expect(peer.codes()).toEqual([0, 0, 0]);
    expect(peer.payloads()).toEqual(["1", "2", "3"]);
    expect(await stored()).toEqual(["1", "2", "3"]);
  });

  test("between the append and the answer: nothing is stored or comes a second time", async () => {
    const { several, shard, shards, peer, publish, stored } = await start();
    peer.acknowledges = false;
    publish(1, "1");
    publish(2, "2", [7, 9]);
    await waitFor(() => peer.pushed.length === 2);
    expect(peer.answers).toEqual([]);
    several.down(1);
    peer.acknowledges = true;
    peer.acknowledge();
    await several.own(shard, 2, 2);
    await waitFor(() => peer.answers.length === 2);
    expect(peer.codes()).toEqual([0, 0]);
    expect(peer.payloads()).toEqual(["1", "2"]);
    expect(await stored()).toEqual(["1", "2"]);
    expect(await shards.receipts(7, [shard])).toEqual([{ shard, key: 9 }]);
  });

  test("what its clients want meanwhile waits for the next one", async () => {
    const { several, shard, shards, peer, publish } = await start();
    several.down(1);
    publish(1, "1");
    const receipts = shards.receipts(7, [shard]);
    await several.own(shard, 2, 2);
    await waitFor(() => peer.answers.length === 1);
    expect(peer.codes()).toEqual([0]);
    expect(await receipts).toEqual([]);
  });
});
