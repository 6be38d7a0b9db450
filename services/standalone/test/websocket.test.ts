import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { mqttJs, RawClient } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { fresh, packet, publish, utf8 } from "./support.ts";
import { inCluster, sharedTarget, startTarget } from "./target.ts";

const broker = sharedTarget();

const hello = packet(0x10, utf8("MQTT"), [5, 2, 0, 0, 0], utf8(""));
const ping = packet(0xc0);

/** The status that an upgrade of this path gets. */
function upgradeStatus(path: string, headers: Record<string, string> = {}): Promise<number> {
  const { hostname, port } = new URL(broker.ws.url);
  const asked = request({
    host: hostname,
    port,
    path,
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    },
  });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    asked.once("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.once("error", reject);
  });
}

async function openSocket(protocols: string[] = ["mqtt"]): Promise<WebSocket> {
  const socket = new WebSocket(broker.ws.url, protocols);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("refused")));
  });
  return socket;
}

function closeCode(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
}

describe("the handshake", () => {
  test("[MQTT-6.0.0-3] [MQTT-6.0.0-4] the subprotocol is mqtt", async () => {
    expect((await openSocket(["other", "mqtt"])).protocol).toBe("mqtt");
    expect((await openSocket(["mqttv3.1"])).protocol).toBe("mqttv3.1");
  });

  test("a wrong path gets 404, plain HTTP 426", async () => {
    expect(await upgradeStatus("/other")).toBe(404);
    expect(await upgradeStatus("/mqtt/")).toBe(404);
    expect(await upgradeStatus("/mqtt?key=1")).toBe(101);
    const response = await fetch(broker.ws.url.replace("ws:", "http:"));
    expect(response.status).toBe(426);
  });

  test("strange request targets do no harm", async () => {
    const { hostname, port } = new URL(broker.ws.url);
    for (const target of ["//", "http://[", "*", "/%"]) {
      const socket = connect(Number(port), hostname);
      socket.write(
        `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
      socket.resume();
      await once(socket, "close");
    }
    const client = await RawClient.connected(broker.ws);
    await client.expectQuiet();
  });
});

describe("frames", () => {
  test("[MQTT-6.0.0-2] several packets in one frame, and one packet in many", async () => {
    const client = await RawClient.open(broker.ws);
    client.sendBytes(Buffer.concat([hello, ping, ping]));
    await client.expect("connack", { reasonCode: 0 });
    await client.expect("pingresp");
    await client.expect("pingresp");
    const split = await RawClient.open(broker.ws);
    for (const byte of Buffer.concat([hello, ping])) split.sendBytes(Buffer.from([byte]));
    await split.expect("connack", { reasonCode: 0 });
    await split.expect("pingresp");
  });

  test("[MQTT-6.0.0-1] a text frame closes the connection, and what follows it is not processed", async () => {
    const topic = fresh();
    const watcher = await RawClient.connected(broker.tcp);
    await watcher.subscribe(topic);
    const socket = await openSocket();
    const closed = closeCode(socket);
    socket.send(new Uint8Array(hello));
    socket.send("text");
    socket.send(new Uint8Array(packet(0x30, utf8(topic), [0], Buffer.from("never"))));
    expect(await closed).toBe(1003);
    await watcher.publish(topic, "end", { qos: 1 });
    await watcher.expect("publish", { payload: "end" });
  });

  test("what the broker sends is binary [MQTT-6.0.0-1], whatever its size", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.ws);
    client.acknowledge = true;
    await client.subscribe(topic, { qos: 2 });
    for (const size of [1, 126, 70_000, 500_000]) {
      await publish(broker.tcp, topic, "x".repeat(size), { qos: 2 });
      const { payload } = await client.expect("publish");
      expect(payload).toHaveLength(size);
      await client.expect("pubrel");
    }
  });

  test("a message larger than any packet may be closes the connection", async () => {
    const socket = await openSocket();
    const closed = closeCode(socket);
    socket.send(new Uint8Array(hello));
    socket.send(new Uint8Array(3 * 2 ** 20));
    await closed;
    const other = await RawClient.connected(broker.ws);
    await other.expectQuiet();
  });
});

test.each([4, 5] as const)("MQTT.js at v%i over WebSocket", async (protocolVersion) => {
  const topic = fresh();
  const client = await mqttJs(broker.ws.url, { protocolVersion });
  await client.subscribeAsync(topic, { qos: 2 });
  const arrived = new Promise((resolve) => {
    client.once("message", (_topic, payload) => resolve(String(payload)));
  });
  await client.publishAsync(topic, "through the web", { qos: 2 });
  expect(await arrived).toBe("through the web");
});

test("[MQTT-3.1.2-22] keep alive, wills and DISCONNECT work as over TCP", async () => {
  const base = fresh();
  const watcher = await RawClient.connected(broker.tcp);
  await watcher.subscribe(`${base}/#`);
  const silent = await RawClient.connected(broker.ws, {
    keepalive: 1,
    will: { topic: `${base}/w`, payload: Buffer.from("gone"), qos: 0, retain: false },
  });
  await silent.expect("disconnect", { reasonCode: 0x8d });
  await silent.expectClosed();
  await watcher.expect("publish", { payload: "gone" });
});

test.skipIf(inCluster("a limit of one gateway"))(
  "a handshake that does not come to its end is cut off after limits.connectTimeout",
  async () => {
    const { ws } = await startTarget({ set: { "limits.connectTimeout": "500ms" } });
    const { hostname, port } = new URL(ws.url);
    const socket = connect(Number(port), hostname);
    socket.write("GET /mqtt HTTP/1.1\r\n");
    const start = performance.now();
    socket.resume();
    await once(socket, "close");
    expect(performance.now() - start).toBeLessThan(10_000);
  },
);
