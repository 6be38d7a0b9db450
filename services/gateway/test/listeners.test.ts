import { once } from "node:events";
import net from "node:net";
import { RawClient, testScope, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { ListenError } from "../src/index.ts";
import { World } from "./world.ts";

const TCP = { scheme: "tcp", host: "127.0.0.1", port: 0, path: "" } as const;
const WS = { scheme: "ws", host: "127.0.0.1", port: 0, path: "/mqtt" } as const;

async function listening(): Promise<{ world: World; port: number; wsPort: number; url: string }> {
  const world = await World.start({ listen: [TCP, WS] });
  const [tcp, ws] = world.gateway.listeners.addresses as [string, string];
  expect(tcp).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
  expect(ws).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/mqtt$/);
  return { world, port: Number(tcp.split(":")[2]), wsPort: Number(new URL(ws).port), url: ws };
}

/** The first line of the answer to an HTTP request, written as it is. */
async function request(port: number, target: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  testScope().defer(() => socket.destroy());
  const headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  socket.write(
    `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString().split("\r\n")[0] ?? "";
}

test("[MQTT-4.2.0-1] [MQTT-6.0.0-4] a message from TCP to WebSocket and back", async () => {
  const { port, url } = await listening();
  const tcp = await RawClient.connected({ host: "127.0.0.1", port }, { clientId: "tcp" });
  const ws = await RawClient.connected({ url }, { clientId: "ws" });
  await tcp.subscribe("t");
  await ws.subscribe("t");
  ws.send({ cmd: "publish", topic: "t", payload: "x", qos: 0, dup: false, retain: false });
  await tcp.expect("publish", { topic: "t" });
  await ws.expect("publish", { topic: "t" });
});

test("a request target that is no URL, or another path, is refused and harms nobody", async () => {
  const { wsPort, url } = await listening();
  for (const target of ["//", "/other", "http://", "/mqtt/", "*"]) {
    expect(await request(wsPort, target)).toMatch(/^HTTP\/1\.1 40[04] /);
  }
  expect(await request(wsPort, "/mqtt?token=1")).toMatch(/^HTTP\/1\.1 101 /);
  await RawClient.connected({ url }, { clientId: "ws" });
});

test("[MQTT-6.0.0-1] a frame that is not binary ends the connection, and what follows is not read", async () => {
  const { world, url } = await listening();
  const socket = new WebSocket(url, "mqtt");
  testScope().defer(() => socket.terminate());
  await once(socket, "open");
  socket.send("text");
  socket.send(Buffer.from("101300044d5154540502000000000006636c69656e74", "hex"));
  const [code] = (await once(socket, "close")) as [number];
  expect(code).toBe(1003);
  expect(world.gateway.counters.connected).toBe(0);
});

/** A CONNECT of MQTT 5, or a PUBLISH of 65,000 bytes at QoS 0. */
function connectBytes(clientId: string): Buffer {
  const head = Buffer.from("100000044d51545405020000000001", "hex");
  head[1] = head.length - 2 + clientId.length;
  return Buffer.concat([head, Buffer.from(clientId)]);
}

function publishBytes(topic: string, payload: string): Buffer {
  const rest = Buffer.from(`\0\x01${topic}\0${payload.repeat(65_000)}`);
  const size = [(rest.length & 0x7f) | 0x80, ((rest.length >> 7) & 0x7f) | 0x80, rest.length >> 14];
  return Buffer.concat([Buffer.from([0x30, ...size]), rest]);
}

test("packets that come in pieces, on connections that take turns, are not mixed up", async () => {
  const { world, port } = await listening();
  const subscriber = await RawClient.connected({ host: "127.0.0.1", port }, { clientId: "s" });
  await subscriber.subscribe("#");
  const sockets = ["a", "b"].map((name) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    testScope().defer(() => socket.destroy());
    socket.write(connectBytes(name));
    return { name, socket, left: publishBytes(name, name) };
  });
  const { counters } = world.gateway;
  await waitFor(() => counters.connected === 3);
  for (const size of [1, 3, 20_000, 20_000, 65_000]) {
    for (const one of sockets) {
      const due = counters.bytesReceived + Math.min(size, one.left.length);
      one.socket.write(one.left.subarray(0, size));
      one.left = one.left.subarray(size);
      await waitFor(() => counters.bytesReceived >= due);
    }
  }
  for (const { name } of sockets) {
    const { payload } = await subscriber.expect("publish", { topic: name });
    expect(String(payload)).toBe(name.repeat(65_000));
  }
});

test("an address in use is said in words", async () => {
  const { port, wsPort } = await listening();
  for (const taken of [
    { ...TCP, port },
    { ...WS, port: wsPort },
  ]) {
    const other = World.open({ listen: [taken] });
    await expect(other).rejects.toThrow(ListenError);
    await expect(other).rejects.toThrow(
      `${taken.scheme}://127.0.0.1:${taken.port} is in use: stop what listens there, or choose another port (0 for a free one)`,
    );
  }
});
