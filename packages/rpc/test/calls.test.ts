import { createServer } from "node:net";
import { ControlError } from "@canopy/control";
import { SessionError } from "@canopy/session";
import { StoreError } from "@canopy/store";
import { freePort, testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { asControlError, asSessionError, asStoreError, RpcError } from "../src/index.ts";
import { Echo } from "./echo.ts";
import { channelTo, echo, serve } from "./setup.ts";

const { say } = Echo.method;

/** What the call of a server that throws this ends with. */
async function thrown(error: Error): Promise<unknown> {
  const { address } = await serve({ ...echo, say: () => Promise.reject(error) });
  const channel = await channelTo(address);
  return channel.call(say, { text: "" }).catch((caught: unknown) => caught);
}

describe("calls", () => {
  test("are answered", async () => {
    const channel = await channelTo((await serve()).address);
    expect((await channel.call(say, { text: "hello" })).text).toBe("hello");
  });

  test("a call that is not answered ends at its deadline, and the server hears of it", async () => {
    let signal: AbortSignal | undefined;
    const { address } = await serve({
      ...echo,
      say: (_request, context) => {
        signal = context.signal;
        return new Promise(() => {});
      },
    });
    const channel = await channelTo(address);
    await waitFor(() => channel.state === "ready");
    const call = channel.call(say, { text: "" }, { deadline: 200 });
    await expect(call).rejects.toMatchObject({ code: "deadline", sent: true });
    await waitFor(() => signal?.aborted);
  });

  test("the end of a channel ends its calls", async () => {
    const asked = Promise.withResolvers<void>();
    const { address } = await serve({
      ...echo,
      say: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    });
    const channel = await channelTo(address);
    const call = channel.call(say, { text: "" });
    await Promise.all([
      expect(call).rejects.toMatchObject({ code: "cancelled" }),
      asked.promise.then(() => channel.stop()),
    ]);
    await expect(channel.call(say, { text: "" })).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("errors", () => {
  test("of a port are the same on the other side", async () => {
    const error = await thrown(new SessionError("not-leader", "ask another", { leader: "nodé 2" }));
    expect(error).toBeInstanceOf(SessionError);
    expect(error).toMatchObject({ code: "not-leader", message: "ask another", leader: "nodé 2" });
    const refused = await thrown(new ControlError("not-leader", "ask another", { leader: "n2" }));
    expect(refused).toBeInstanceOf(ControlError);
    expect(refused).toMatchObject({ code: "not-leader", leader: "n2" });
    const full = await thrown(new StoreError("full", "no room – at all"));
    expect(full).toBeInstanceOf(StoreError);
    expect(full).toMatchObject({ code: "full", message: "no room – at all" });
    expect(await thrown(new RpcError("denied", "not you"))).toMatchObject({
      name: "RpcError",
      code: "denied",
      message: "not you",
    });
  });

  test("without a type say nothing of what is inside", async () => {
    const error = await thrown(new Error("the password is 1234"));
    expect(error).toMatchObject({ code: "internal", message: "internal error" });
  });

  test("mean for a command: not done, or perhaps done", () => {
    const own = new SessionError("stale", "");
    expect(asSessionError(own)).toBe(own);
    const code = (error: unknown): string => asSessionError(error).code;
    expect(code(new RpcError("unavailable", "", { sent: false }))).toBe("unavailable");
    expect(code(new RpcError("unavailable", "", { sent: true }))).toBe("indeterminate");
    expect(code(new RpcError("deadline", "", { sent: true }))).toBe("indeterminate");
    expect(code(new TypeError("a bug"))).toBe("indeterminate");
    expect(asControlError(new RpcError("unavailable", "")).code).toBe("unavailable");
    expect(asControlError(new RpcError("deadline", "", { sent: true })).code).toBe("indeterminate");
    expect(asStoreError(new RpcError("deadline", "", { sent: true })).code).toBe("unavailable");
  });
});

describe("connections", () => {
  test("without a server calls fail at once, having sent nothing, until there is one", async () => {
    const port = await freePort();
    const channel = await channelTo(`127.0.0.1:${port}`);
    const call = channel.call(say, { text: "" });
    await expect(call).rejects.toMatchObject({ code: "unavailable", sent: false });
    await expect(call).rejects.toThrow(/: connect ECONNREFUSED [\d.:]+$/);
    const states: string[] = [];
    channel.onState((state) => states.push(state));
    await serve(echo, { address: `127.0.0.1:${port}` });
    await waitFor(() => channel.state === "ready");
    expect(states.slice(-2)).toEqual(["connecting", "ready"]);
    expect((await channel.call(say, { text: "again" })).text).toBe("again");
  });

  test("come back after a restart, wherever the address leads to then", async () => {
    const first = await serve();
    let { address } = first;
    const channel = await channelTo(() => address);
    await waitFor(() => channel.state === "ready");
    await first.stop();
    await waitFor(() => channel.state !== "ready");
    ({ address } = await serve());
    await waitFor(() => channel.state === "ready");
    expect(channel.address).toBe(address);
    expect((await channel.call(say, { text: "back" })).text).toBe("back");
  });

  test("an address that is not known yet is asked for again", async () => {
    const known: string[] = [];
    const channel = await channelTo(() => known[0]);
    await expect(channel.call(say, { text: "" })).rejects.toMatchObject({ code: "unavailable" });
    known.push((await serve()).address);
    await waitFor(() => channel.state === "ready");
  });

  test("a peer that hangs is found out", async () => {
    // It takes connections and says nothing.
    const deaf = createServer(() => {});
    testScope().defer(() => deaf.close());
    await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
    const { port } = deaf.address() as { port: number };
    const channel = await channelTo(`127.0.0.1:${port}`, { connectTimeout: 20 });
    await expect(channel.call(say, { text: "" })).rejects.toThrow("no answer");
  });
});
