/** Batches and snapshots of Raft over gRPC. */
import { silentLogger } from "@canopy/base";
import { type Batch, EntryKind, encodeBatch, type TransportHandler } from "@canopy/raft";
import { type TransportHarness, transportContract } from "@canopy/raft/contract";
import { testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { BatchesOpeningSchema } from "../src/gen/canopy/raft/v1/raft_pb.ts";
import {
  encodeMessage,
  GrpcTransport,
  Raft,
  RpcServer,
  type RpcStream,
  type RpcTls,
} from "../src/index.ts";
import { channelTo, ignoring, nodeTls } from "./setup.ts";

/** Nodes that know each other. */
function harness(tls?: RpcTls): TransportHarness {
  const scope = testScope();
  const addresses = new Map<string, string>();
  return {
    node: async (name, handler) => {
      const transport = new GrpcTransport({
        node: name,
        resolve: (node) => addresses.get(node),
        tls,
        ...(tls === undefined ? {} : { serverName: () => "localhost" }),
        logger: silentLogger,
        backoff: { first: 5, longest: 20 },
      });
      const server = new RpcServer({ address: "127.0.0.1:0", tls, logger: silentLogger });
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
}

transportContract("gRPC", () => harness());
transportContract("gRPC with mTLS", () => harness(nodeTls));

test("a batch that is longer than a server takes goes in parts", async () => {
  const { node } = harness();
  const got: Batch[] = [];
  const deaf: TransportHandler = {
    onBatch: (batch) => got.push(batch),
    onUnreachable: () => {},
    onSnapshot: () => Promise.reject(new Error("none")),
  };
  const { transport } = await node("a", deaf);
  await node("b", deaf);
  const append = { type: "append", from: 1, to: 2, term: 1, prevIndex: 0, prevTerm: 0 } as const;
  const envelopes = Array.from({ length: 5 }, (_, group) => {
    const entry = {
      index: 1,
      term: 1,
      kind: EntryKind.Command,
      data: Buffer.alloc(5 << 20, group),
    };
    return { group, message: { ...append, commit: 0, entries: [entry] } };
  });
  const hellos = [{ type: "ask", token: 3 }] as const;
  transport.send("b", { from: "a", disk: 1, envelopes, beats: [], hellos });
  await waitFor(() => got.flatMap((batch) => batch.envelopes).length === 5);
  expect(got.length).toBeGreaterThan(1);
  expect(got.flatMap((batch) => batch.envelopes.map(({ group }) => group))).toEqual([
    0, 1, 2, 3, 4,
  ]);
  expect(got.map((batch) => batch.hellos.length)).toEqual([1, ...got.slice(1).map(() => 0)]);
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
