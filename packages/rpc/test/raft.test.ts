/** Batches and snapshots of Raft over gRPC. */
import { silentLogger } from "@canopy/base";
import { encodeBatch } from "@canopy/raft";
import { transportContract } from "@canopy/raft/contract";
import { testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { BatchesOpeningSchema } from "../src/gen/canopy/raft/v1/raft_pb.ts";
import { encodeMessage, GrpcTransport, Raft, RpcServer, type RpcStream } from "../src/index.ts";
import { channelTo, ignoring } from "./setup.ts";

transportContract("gRPC", () => {
  const scope = testScope();
  const addresses = new Map<string, string>();
  return {
    node: async (name, handler) => {
      const transport = new GrpcTransport({
        node: name,
        resolve: (node) => addresses.get(node),
        logger: silentLogger,
        backoff: { first: 5, longest: 20 },
      });
      const server = new RpcServer({ address: "127.0.0.1:0", logger: silentLogger });
      server.add(Raft, transport.handlers);
      await transport.start(handler);
      await server.start();
      addresses.set(name, server.address);
      const end = async (): Promise<void> => {
        await transport.stop();
        await server.stop();
      };
      scope.defer(end);
      return { transport, end };
    },
    waitFor,
  };
});

describe("streams of batches", () => {
  /** A node that takes batches, and a way to open streams to it as another would. */
  async function taking() {
    const taken: number[] = [];
    const transport = new GrpcTransport({
      node: "b",
      resolve: () => undefined,
      logger: silentLogger,
    });
    await transport.start({
      onBatch: ({ disk }) => taken.push(disk),
      onUnreachable: () => {},
      onSnapshot: () => Promise.reject(new Error("none")),
    });
    const server = new RpcServer({ address: "127.0.0.1:0", logger: silentLogger });
    server.add(Raft, transport.handlers);
    await server.start();
    testScope().defer(async () => {
      await transport.stop();
      await server.stop();
    });
    const channel = await channelTo(server.address);
    const closed: (Error | undefined)[] = [];
    const open = (number: number): Promise<RpcStream> =>
      channel.open(Raft.method.batches, {
        opening: encodeMessage(BatchesOpeningSchema, { from: "a", number: BigInt(number) }),
        handler: { ...ignoring, onClosed: (error) => closed.push(error) },
      });
    return { taken, closed, open };
  }

  const batch = (disk: number): Buffer =>
    encodeBatch({ from: "a", disk, envelopes: [], beats: [], hellos: [] });

  test("a later one of the same node ends the one before, and one that comes late is refused", async () => {
    const { taken, closed, open } = await taking();
    const before = await open(5);
    const after = await open(6);
    await waitFor(() => closed.length > 0);
    expect(closed[0]).toMatchObject({ code: "unavailable" });
    expect(before.send(batch(1))).toBe(false);
    expect(after.send(batch(2))).toBe(true);
    await waitFor(() => taken.length > 0);
    await expect(open(4)).rejects.toMatchObject({ code: "unavailable" });
    after.send(batch(3));
    await waitFor(() => taken.length > 1);
    expect(taken).toEqual([2, 3]);
  });

  test("what is no batch ends the stream", async () => {
    const { closed, open } = await taking();
    const stream = await open(1);
    stream.send(Buffer.of(99));
    await waitFor(() => closed.length > 0);
    expect(closed[0]).toMatchObject({
      code: "internal",
      message: "wire format 99; this program speaks 1",
    });
  });
});
