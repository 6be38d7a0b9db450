import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { systemTimers, type Timers } from "@canopy/base";
import { Child, tempDir, testScope, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { channelCredentials, type RpcTls } from "../src/tls.ts";
import { Echo } from "./echo.ts";
import { healthOf, plain } from "./health.ts";
import { channelTo, echo, nodeTls, pem, serve } from "./setup.ts";

const { say } = Echo.method;
const node = nodeTls;
const stranger: RpcTls = { ...node, cert: pem("stranger.pem"), key: pem("stranger.key") };

describe("addresses", () => {
  test("may be Unix sockets", async () => {
    const address = `unix:${join(await tempDir(), "socket")}`;
    const server = await serve(echo, { address });
    expect(server.address).toBe(address);
    const channel = await channelTo(address);
    expect((await channel.call(say, { text: "hello" })).text).toBe("hello");
  });

  test("a socket that a killed process left behind is taken over, one in use is not", async () => {
    const path = join(await tempDir(), "socket");
    const script = `require("net").createServer().listen(${JSON.stringify(path)})`;
    const killed = new Child({ command: process.execPath, args: ["-e", script] });
    await waitFor(() => existsSync(path));
    await killed.kill("SIGKILL");
    const server = await serve(echo, { address: `unix:${path}` });
    await server.stop();
    const other = createServer();
    testScope().defer(() => other.close());
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await expect(serve(echo, { address: `unix:${path}` })).rejects.toThrow("EADDRINUSE");
  });
});

test("a call that is never answered holds up the end of its server only for a while", async () => {
  const asked = Promise.withResolvers<void>();
  const say = (): Promise<never> => {
    asked.resolve();
    return new Promise(() => {});
  };
  const timers: Timers = { set: (_ms, fn) => systemTimers.set(1, fn) };
  const server = await serve({ ...echo, say }, { timers });
  const channel = await channelTo(server.address);
  const call = channel.call(Echo.method.say, { text: "" });
  const lost = call.catch((error: unknown) => error);
  await asked.promise;
  await server.stop();
  expect(await lost).toMatchObject({ code: "unavailable", sent: true });
});

describe("TLS", () => {
  test("both sides show who they are", async () => {
    const { address } = await serve(echo, { tls: node });
    const channel = await channelTo(address, { tls: node });
    expect((await channel.call(say, { text: "hello" })).text).toBe("hello");
  });

  test.each([
    ["without TLS", undefined],
    ["without a certificate", { ...node, cert: undefined, key: undefined }],
    ["with one of somebody else", stranger],
    ["that trusts somebody else only", { ...node, ca: pem("stranger.pem") }],
  ])("a caller %s gets nowhere", async (_name, tls) => {
    const { address } = await serve(echo, { tls: node });
    const channel = await channelTo(address, { tls });
    const call = channel.call(say, { text: "" });
    await expect(call).rejects.toMatchObject({ code: "unavailable" });
    expect(channel.state).not.toBe("ready");
  });

  test("the certificate has to be for the server's name", async () => {
    const { address } = await serve(echo, { tls: node });
    const right = await channelTo(address, { tls: node, serverName: "localhost" });
    expect((await right.call(say, { text: "hello" })).text).toBe("hello");
    const wrong = await channelTo(address, { tls: node, serverName: "elsewhere" });
    await expect(wrong.call(say, { text: "" })).rejects.toThrow("elsewhere");
  });

  test("settings that can't work are refused", async () => {
    await expect(serve(echo, { tls: { ...node, key: undefined } })).rejects.toThrow(TypeError);
    await expect(serve(echo, { tls: { ...node, ca: undefined } })).rejects.toThrow(TypeError);
    expect(channelCredentials({ ...node, cert: undefined, key: undefined })._isSecure()).toBe(true);
  });
});

describe("beside the services", () => {
  test("grpc.health.v1 says which serve", async () => {
    const server = await serve();
    const client = plain(server.address);
    const check = (service: string): Promise<string> => healthOf(client, service);
    expect(await check("")).toBe("SERVING");
    expect(await check(Echo.typeName)).toBe("SERVING");
    server.setServing(Echo, false);
    expect(await check(Echo.typeName)).toBe("NOT_SERVING");
    expect(await check("")).toBe("SERVING");
  });

  test("reflection lists the services", async () => {
    const { address } = await serve();
    const client = plain(address);
    const answers: Buffer[] = [];
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      (bytes) => bytes,
      (bytes) => bytes,
    );
    call.on("data", (bytes: Buffer) => answers.push(bytes));
    // list_services is field 7: an empty string is enough.
    call.write(Buffer.of((7 << 3) | 2, 0));
    await waitFor(() => answers.length > 0);
    call.end();
    expect(answers[0]?.toString()).toContain(Echo.typeName);
  });
});
