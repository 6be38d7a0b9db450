/** What is said on one side of the ports is what is heard on the other, whatever it is. */
import { DecodeError } from "@canopy/base";
import {
  type DeliveryChanges,
  encodeCommand,
  type OpenRequest,
  type Progress,
  type RouteBatch,
  type RouteSink,
  type Sessions,
} from "@canopy/session";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as messages from "../src/gen/canopy/session/v1/session_pb.ts";
import { decodeMessage, encodeMessage, RpcError } from "../src/index.ts";
import { encodeBatches, takeBatch } from "../src/session/batches.ts";
import * as session from "../src/session/messages.ts";
import { encodeRoutes, encodeWill, RouteRequests } from "../src/session/route-messages.ts";
import * as any from "./session-values.ts";

const group = 3;

describe("over the wire", () => {
  test("requests stay what they are", () => {
    fc.assert(
      fc.property(any.openRequest, (request) => {
        const bytes = encodeMessage(messages.OpenRequestSchema, session.toOpen(group, request));
        const message = decodeMessage(messages.OpenRequestSchema, bytes);
        expect(message.group).toBe(group);
        expect(session.fromOpen(message)).toEqual(request);
      }),
    );
    fc.assert(
      fc.property(any.openRequest, ({ clientId, gateway, requestId }) => {
        const request = { clientId, gateway, requestId };
        const init = session.toWithdraw(group, request);
        const bytes = encodeMessage(messages.WithdrawRequestSchema, init);
        const message = decodeMessage(messages.WithdrawRequestSchema, bytes);
        expect(message.group).toBe(group);
        expect(session.fromWithdraw(message)).toEqual(request);
      }),
    );
    fc.assert(
      fc.property(any.releaseRequest, (request) => {
        const init = session.toRelease(group, request);
        const bytes = encodeMessage(messages.ReleaseRequestSchema, init);
        const message = decodeMessage(messages.ReleaseRequestSchema, bytes);
        expect(message.group).toBe(group);
        expect(session.fromRelease(message)).toEqual(request);
      }),
    );
    fc.assert(
      fc.property(any.number, any.number, fc.array(any.newSubscription), (...fields) => {
        const [incarnation, epoch, subscriptions] = fields;
        const request = { incarnation, epoch, subscriptions };
        const init = session.toSubscribe(group, request);
        const bytes = encodeMessage(messages.SubscribeRequestSchema, init);
        const message = decodeMessage(messages.SubscribeRequestSchema, bytes);
        expect(message.group).toBe(group);
        expect(session.fromSubscribe(message)).toEqual(request);
      }),
    );
    fc.assert(
      fc.property(any.unsubscribeRequest, (request) => {
        const init = session.toUnsubscribe(group, request);
        const bytes = encodeMessage(messages.UnsubscribeRequestSchema, init);
        const message = decodeMessage(messages.UnsubscribeRequestSchema, bytes);
        expect(message.group).toBe(group);
        expect(session.fromUnsubscribe(message)).toEqual(request);
      }),
    );
  });

  test("answers stay what they are", () => {
    fc.assert(
      fc.property(any.opened, (opened) => {
        const bytes = encodeMessage(messages.OpenResponseSchema, session.toOpened(opened));
        const message = decodeMessage(messages.OpenResponseSchema, bytes);
        expect(session.fromOpened(message)).toEqual(opened);
      }),
    );
    const existing = fc.array(fc.tuple(any.subscription, fc.boolean()));
    fc.assert(
      fc.property(existing, (entries) => {
        const result = {
          subscriptions: entries.map(([subscription]) => subscription),
          existed: entries.map(([, existed]) => existed),
        };
        const bytes = encodeMessage(messages.SubscribeResponseSchema, session.toSubscribed(result));
        const message = decodeMessage(messages.SubscribeResponseSchema, bytes);
        expect(session.fromSubscribed(message)).toEqual(result);
      }),
    );
    const { number } = any;
    fc.assert(
      fc.property(number, number, number, number, (...fields) => {
        const [sessions, connected, durable, subscriptions] = fields;
        const counts = { sessions, connected, durable, subscriptions };
        const bytes = encodeMessage(messages.CountsResponseSchema, session.toCounts(counts));
        const message = decodeMessage(messages.CountsResponseSchema, bytes);
        expect(session.fromCounts(message)).toEqual(counts);
      }),
    );
  });

  test("batches stay what they are, in parts where they are long", async () => {
    const seen: { progress: Progress[][]; deliveries: DeliveryChanges[][] } = {
      progress: [],
      deliveries: [],
    };
    const sessions = {
      progress: async (batch) => void seen.progress.push([...batch]),
      deliveries: async (batch) => void seen.deliveries.push([...batch]),
    } satisfies Pick<Sessions, "progress" | "deliveries"> as unknown as Sessions;
    const take = async (messages: Uint8Array[]): Promise<void> => {
      for (const message of messages) await takeBatch(sessions, Buffer.from(message));
    };
    await fc.assert(
      fc.asyncProperty(fc.array(any.progress), fc.array(any.deliveries), async (...batches) => {
        const [progress, deliveries] = batches;
        await take(encodeBatches({ type: "progress", batch: progress }));
        await take(encodeBatches({ type: "deliveries", batch: deliveries }));
        expect(seen.progress.splice(0)).toEqual([progress]);
        expect(seen.deliveries.splice(0)).toEqual([deliveries]);
      }),
    );
    const [one] = fc.sample(any.progress, 1) as [Progress];
    const long = Array.from({ length: 2_500 }, (_, epoch) => ({ ...one, epoch }));
    await take(encodeBatches({ type: "progress", batch: long }));
    expect(seen.progress.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
    expect(seen.progress.flat()).toEqual(long);
  });

  test("routes and wills stay what they are, in parts where they are many", async () => {
    const routes: RouteBatch[] = [];
    const wills: unknown[] = [];
    const sink = {
      routes: async (batch) => void routes.push(batch),
      publishWill: async (will) => void wills.push(will),
    } satisfies Pick<RouteSink, "routes" | "publishWill"> as unknown as RouteSink;
    const requests = new RouteRequests(sink);
    await fc.assert(
      fc.asyncProperty(any.routeBatch, any.will, async (batch, will) => {
        const parts = [...encodeRoutes(batch)].map((part) => requests.take(Buffer.from(part)));
        await parts[0];
        await requests.take(Buffer.from(encodeWill(will)));
        expect(parts).toHaveLength(1);
        expect(routes.splice(0)).toEqual([batch]);
        expect(wills.splice(0)).toEqual([will]);
      }),
    );
    const changes = Array.from({ length: 20_000 }, (_, i) => ({ filter: `a/${i}`, add: i > 5 }));
    const long = { group: 1, term: 2, seq: 20_000, whole: true, changes };
    const parts = [...encodeRoutes(long)].map((part) => requests.take(Buffer.from(part)));
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.slice(0, -1).every((part) => part === undefined)).toBe(true);
    await parts.at(-1);
    expect(routes).toEqual([long]);
  });
});

describe("what no client of ours would say is refused", () => {
  const [valid] = fc.sample(any.openRequest, 1) as [OpenRequest];
  const refused: [string, () => unknown][] = [
    ["QoS 3", () => session.fromSubscribed(subscribed({ qos: 3 }))],
    ["Retain Handling 3", () => session.fromSubscribed(subscribed({ retainHandling: 3 }))],
    ["no session", () => session.fromUnsubscribe(decoded(messages.UnsubscribeRequestSchema))],
    ["no progress", () => session.fromRelease(decoded(messages.ReleaseRequestSchema))],
    [
      "end of a will 0",
      () =>
        session.fromRelease(decoded(messages.ReleaseRequestSchema, { progress: { session: {} } })),
    ],
    ["half a range", () => session.fromOpened(opened({ done: [{ ranges: [1n] }] }))],
    ["source of a delivery 0", () => session.fromOpened(opened({ unfinished: [{ qos: 1 }] }))],
    ["QoS 0 of a delivery", () => session.fromOpened(opened({ unfinished: [{}] }))],
  ];

  test.each(refused)("%s", (message, parse) => {
    expect(parse).toThrow(new RpcError("internal", `not understood: ${message}`));
  });

  test("a command that is none of a gateway's, or of no version", async () => {
    const none = {} as Sessions;
    const open = Buffer.from(encodeCommand({ type: "open", at: 0, request: valid }));
    await expect(takeBatch(none, open)).rejects.toMatchObject({
      code: "internal",
      message: "not for a gateway to ask: open",
    });
    const error = await takeBatch(none, Buffer.of(99)).catch((caught: RpcError) => caught);
    expect(error).toMatchObject({ code: "internal", cause: expect.any(DecodeError) as Error });
  });

  function decoded<S extends Parameters<typeof encodeMessage>[0]>(
    schema: S,
    init: Parameters<typeof encodeMessage<S>>[1] = {} as never,
  ) {
    return decodeMessage(schema, encodeMessage(schema, init));
  }

  function subscribed(options: { qos?: number; retainHandling?: number }) {
    return decoded(messages.SubscribeResponseSchema, { subscriptions: [{ options }] });
  }

  function opened(init: Parameters<typeof encodeMessage<typeof messages.OpenResponseSchema>>[1]) {
    return decoded(messages.OpenResponseSchema, { session: {}, ...init } as typeof init);
  }
});
