import { StoreError } from "@canopy/store";
import { waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { RpcError, type RpcStream, type StreamHandler } from "../src/index.ts";
import { Echo } from "./echo.ts";
import { channelTo, echo, ignoring, serve } from "./setup.ts";

const { say, talk } = Echo.method;
const opening = Buffer.from("what for");

interface Side {
  stream: RpcStream;
  readonly messages: string[];
  readonly numbers: number[];
  readonly acknowledged: number[];
  ready: number;
  onReady: () => void;
  onMessage: (number: number) => void;
  readonly closed: (Error | undefined)[];
}

/** Records what happens; acknowledges nothing by itself. */
function recorder(): { readonly side: Side; readonly handler: StreamHandler } {
  const side: Side = {
    stream: undefined as unknown as RpcStream,
    messages: [],
    numbers: [],
    acknowledged: [],
    ready: 0,
    onReady: () => {},
    onMessage: () => {},
    closed: [],
  };
  const handler: StreamHandler = {
    onMessage: (message, number) => {
      side.messages.push(message.toString());
      side.numbers.push(number);
      side.onMessage(number);
    },
    onAcknowledged: (number) => side.acknowledged.push(number),
    onReady: () => {
      side.ready++;
      side.onReady();
    },
    onClosed: (error) => side.closed.push(error),
  };
  return { side, handler };
}

/** Both ends of a stream, and its two processes. */
async function pair(window = 1000) {
  const callee = recorder();
  let opened = "";
  const server = await serve(
    {
      ...echo,
      talk: (bytes, stream) => {
        opened = bytes.toString();
        callee.side.stream = stream;
        return callee.handler;
      },
    },
    { window },
  );
  const channel = await channelTo(server.address);
  const caller = recorder();
  const { handler } = caller;
  caller.side.stream = await channel.open(talk, { opening, handler, window });
  return { server, channel, caller: caller.side, callee: callee.side, opened: () => opened };
}

describe("a stream", () => {
  test("carries messages and their acknowledgements both ways, in order", async () => {
    const { caller, callee, opened } = await pair();
    expect(opened()).toBe("what for");
    for (const text of ["a", "b", "c"]) expect(caller.stream.send(Buffer.from(text))).toBe(true);
    expect(callee.stream.send(Buffer.from("x"))).toBe(true);
    await waitFor(() => callee.messages.length === 3 && caller.messages.length === 1);
    expect(callee.messages).toEqual(["a", "b", "c"]);
    expect(callee.numbers).toEqual([1, 2, 3]);
    callee.stream.acknowledge(2);
    await waitFor(() => caller.acknowledged.length > 0);
    expect(caller.acknowledged).toEqual([2]);
    expect([caller.stream.sent, caller.stream.acknowledged]).toEqual([3, 2]);
    expect(caller.stream.unacknowledgedBytes).toBe(1);
  });

  test("a sender stops at the receiver's window, and goes on when it acknowledges", async () => {
    const { caller, callee } = await pair(1000);
    const message = Buffer.alloc(400, "m");
    // One may go beyond, so that a message longer than the window gets through.
    expect([1, 2, 3, 4].map(() => caller.stream.send(message))).toEqual([true, true, true, false]);
    expect(caller.stream.unacknowledgedBytes).toBe(1200);
    expect(caller.stream.sendMark(Buffer.from("mark"))).toBe(true);
    await waitFor(() => callee.messages.length === 4);
    expect(callee.messages[3]).toBe("mark");
    expect(caller.ready).toBe(0);
    callee.stream.acknowledge(1);
    await waitFor(() => caller.ready === 1);
    expect(caller.stream.unacknowledgedBytes).toBe(800);
    expect(caller.stream.send(message)).toBe(true);
    expect(caller.stream.send(message)).toBe(false);
  });

  test("one that stands still holds up nothing else on the connection", async () => {
    const window = 16 << 20;
    const { caller, channel, callee } = await pair(window);
    const long = Buffer.alloc(1 << 20);
    while (caller.stream.send(long));
    expect((await channel.call(say, { text: "through" })).text).toBe("through");
    await waitFor(() => callee.messages.length === 16);
  });

  test("what is taken arrives before a proper end", async () => {
    const { caller, callee } = await pair();
    caller.stream.send(Buffer.from("last"));
    caller.stream.close();
    expect(caller.stream.send(Buffer.from("never"))).toBe(false);
    await waitFor(() => callee.closed.length > 0);
    expect(callee.messages).toEqual(["last"]);
    expect(callee.closed).toEqual([undefined]);
    expect(caller.closed).toEqual([]);
  });

  test("the callee may end it, properly or with an error", async () => {
    const one = await pair();
    one.callee.stream.send(Buffer.from("last"));
    one.callee.stream.close();
    await waitFor(() => one.caller.closed.length > 0);
    expect(one.caller.messages).toEqual(["last"]);
    expect(one.caller.closed).toEqual([undefined]);
    const two = await pair();
    two.callee.stream.close(new StoreError("stale-epoch", "not mine any more"));
    await waitFor(() => two.caller.closed.length > 0);
    expect(two.caller.closed[0]).toBeInstanceOf(StoreError);
    expect(two.caller.closed[0]).toMatchObject({ code: "stale-epoch" });
  });

  test("the end of either process ends it", async () => {
    const one = await pair();
    await one.server.stop();
    await waitFor(() => one.caller.closed.length > 0);
    expect(one.caller.closed[0]).toMatchObject({ code: "unavailable", sent: true });
    expect(one.callee.closed[0]).toMatchObject({ code: "unavailable" });
    const two = await pair();
    await two.channel.stop();
    await waitFor(() => two.callee.closed.length > 0);
    expect(two.callee.closed[0]).toMatchObject({ code: "cancelled" });
    expect(two.caller.closed[0]).toMatchObject({ code: "unavailable" });
  });

  test("a handler that throws ends it on both sides", async () => {
    const handler: StreamHandler = {
      ...ignoring,
      onMessage: () => {
        throw new StoreError("invalid", "no such message");
      },
    };
    const { address } = await serve({ ...echo, talk: () => handler });
    const channel = await channelTo(address);
    const { side, handler: own } = recorder();
    const stream = await channel.open(talk, { opening, handler: own });
    stream.send(Buffer.from("x"));
    await waitFor(() => side.closed.length > 0);
    expect(side.closed[0]).toMatchObject({ code: "invalid", message: "no such message" });
  });

  test("may be refused, or not be answered in time", async () => {
    const refusing = await serve({
      ...echo,
      talk: () => {
        throw new RpcError("denied", "not you");
      },
    });
    const one = await channelTo(refusing.address);
    const refused = one.open(talk, { opening, handler: ignoring });
    await expect(refused).rejects.toMatchObject({ code: "denied", message: "not you" });
    const hanging = await serve({ ...echo, talk: () => new Promise(() => {}) });
    const two = await channelTo(hanging.address);
    const late = two.open(talk, { opening, handler: ignoring, deadline: 30 });
    await expect(late).rejects.toMatchObject({ code: "deadline" });
  });

  test("thousands of messages pass through a small window in order", async () => {
    const { caller, callee } = await pair(500);
    const total = 3000;
    let next = 0;
    const fill = (): void => {
      while (next < total && caller.stream.send(Buffer.from(String(next)))) next++;
    };
    caller.onReady = fill;
    callee.onMessage = (number) => callee.stream.acknowledge(number);
    fill();
    await waitFor(() => callee.numbers.length === total);
    expect(callee.messages).toEqual(Array.from({ length: total }, (_, i) => String(i)));
  });
});
