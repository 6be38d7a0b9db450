import type { Packet } from "mqtt-packet";
import { describe, expect, test } from "vitest";
import { RawClient } from "./raw-client.ts";
import { type Reply, scriptedServer as server } from "./scripted-server.ts";

const connack: Packet = { cmd: "connack", reasonCode: 0, sessionPresent: false };
const message = (payload: string, messageId = 1): Packet => {
  return { cmd: "publish", topic: "t", payload, qos: 1, dup: false, retain: false, messageId };
};
/** Answers CONNECT, and PINGREQ with what is given and a PINGRESP. */
const talkative =
  (...extra: Reply[]) =>
  (packet: Packet): Reply[] => {
    if (packet.cmd === "connect") return [connack, ...extra];
    return packet.cmd === "pingreq" ? [{ cmd: "pingresp" }] : [];
  };

describe.each([3, 4, 5] as const)("version %d", (version) => {
  test("connects", async () => {
    const reply: Packet =
      version === 5 ? connack : { cmd: "connack", returnCode: 0, sessionPresent: false };
    const { address, got } = await server(() => [reply], version);
    await RawClient.connected(address, { version, clientId: "c", username: "u", password: "p" });
    expect(got[0]).toMatchObject({
      cmd: "connect",
      protocolVersion: version,
      clientId: "c",
      username: "u",
      password: Buffer.from("p"),
    });
  });

  test("a refusal is not a connection, unless it is expected", async () => {
    const code = version === 5 ? { reasonCode: 0x87 } : { returnCode: 5 };
    const { address } = await server(
      () => [{ cmd: "connack", sessionPresent: false, ...code }],
      version,
    );
    await expect(RawClient.connected(address, { version })).rejects.toThrow("another packet");
    const client = await RawClient.open(address, { version });
    expect(await client.connect({}, code)).toMatchObject(code);
  });
});

describe("expectations", () => {
  test("expect takes the next packet and compares the fields that are named", async () => {
    const { address } = await server(talkative(message("one"), message("two", 2)));
    const client = await RawClient.connected(address);
    await client.expect("publish", { payload: "one", qos: 1 });
    await expect(client.expect("publish", { payload: "one" })).rejects.toMatchObject({
      message: "another packet arrived",
      actual: { messageId: 2 },
      expected: { cmd: "publish", payload: "one" },
    });
  });

  test("find takes the first like it and leaves the others in line", async () => {
    const { address } = await server(talkative(message("one"), message("two", 2)));
    const client = await RawClient.connected(address);
    await client.find("publish", { payload: "two" });
    expect(client.waiting).toMatchObject([{ messageId: 1 }]);
    await client.expect("publish", { payload: "one" });
  });

  test("several can wait at once", async () => {
    const { address } = await server((packet) => {
      return packet.cmd === "connect" ? [connack] : [message("one"), message("two", 2)];
    });
    const client = await RawClient.connected(address);
    const found = [
      client.find("publish", { payload: "two" }),
      client.find("publish", { payload: "one" }),
    ];
    client.send({ cmd: "pingreq" });
    expect(await Promise.all(found)).toMatchObject([{ messageId: 2 }, { messageId: 1 }]);
  });

  test("a packet that does not come is an error after the timeout", async () => {
    const { address } = await server(talkative());
    const client = await RawClient.connected(address, { timeout: 20 });
    await expect(client.expect("publish")).rejects.toThrow("nothing for 20 ms");
    await expect(client.expectClosed()).rejects.toThrow("still open");
  });

  test("expectQuiet finds what was sent before", async () => {
    const { address } = await server(talkative());
    const client = await RawClient.connected(address);
    await client.expectQuiet();
    const loud = await server(talkative(message("one")));
    const other = await RawClient.connected(loud.address);
    await expect(other.expectQuiet()).rejects.toThrow("another packet");
  });

  test("expectClosed wants the close, and every packet before it taken", async () => {
    const { address } = await server(talkative({ cmd: "disconnect", reasonCode: 0x8e }, "close"));
    const client = await RawClient.connected(address);
    await expect(client.expectClosed()).rejects.toThrow("packets before the close");
    await client.expect("disconnect", { reasonCode: 0x8e });
    await client.expectClosed();
    expect(client.isClosed).toBe(true);
    await expect(client.expect("publish")).rejects.toThrow("the connection was closed");
  });

  test("bytes that are no packet fail what waits, after what came before them", async () => {
    const { address } = await server(talkative(message("one"), Uint8Array.of(0x00, 0x00)));
    const client = await RawClient.connected(address);
    await client.expect("publish");
    await expect(client.expect("publish")).rejects.toThrow("the broker sent:");
  });

  test("nobody listens: open rejects", async () => {
    const closed = { host: "127.0.0.1", port: 1 };
    await expect(RawClient.open(closed)).rejects.toThrow("ECONNREFUSED");
    await expect(RawClient.open({ url: "ws://127.0.0.1:1/" })).rejects.toThrow("cannot connect");
  });
});

describe("what is sent", () => {
  test("bytes go out as they are", async () => {
    const { address, got } = await server((packet) => [packet]);
    const client = await RawClient.open(address);
    client.sendBytes("c0 00");
    await client.expect("pingreq");
    client.sendBytes(Uint8Array.of(0xd0, 0x00));
    await client.expect("pingresp");
    expect(got.map(({ cmd }) => cmd)).toEqual(["pingreq", "pingresp"]);
  });

  test("subscribe, unsubscribe and publish take their acknowledgements", async () => {
    const { address, got } = await server((packet) => {
      const { messageId = 0 } = packet;
      if (packet.cmd === "connect") return [connack];
      if (packet.cmd === "subscribe") {
        const granted = packet.subscriptions.map(({ qos }) => qos);
        return [message("early"), { cmd: "suback", messageId, granted }];
      }
      if (packet.cmd === "unsubscribe") return [{ cmd: "unsuback", messageId, granted: [0] }];
      if (packet.cmd === "pubrel") return [{ cmd: "pubcomp", messageId }];
      if (packet.cmd !== "publish") return [];
      return [{ cmd: packet.qos === 2 ? "pubrec" : "puback", messageId }];
    });
    const client = await RawClient.connected(address);
    await client.subscribe("a/#", { qos: 1, nl: true });
    await client.expect("publish", { payload: "early" });
    await client.subscribe([
      { topic: "b", qos: 0 },
      { topic: "c", qos: 2 },
    ]);
    await client.find("publish", { payload: "early" });
    await client.unsubscribe("a/#");
    await client.publish("t", "zero");
    expect(await client.publish("t", "one", { qos: 1 })).toMatchObject({ cmd: "puback" });
    expect(await client.publish("t", "two", { qos: 2 })).toMatchObject({ cmd: "pubrec" });
    expect(got.slice(1).map(({ cmd, messageId }) => [cmd, messageId])).toEqual([
      ["subscribe", 1],
      ["subscribe", 2],
      ["unsubscribe", 3],
      ["publish", undefined],
      ["publish", 4],
      ["publish", 5],
      ["pubrel", 5],
    ]);
  });

  test("nothing is acknowledged unless asked for", async () => {
    const release: Packet = { cmd: "pubrel", messageId: 7 };
    const { address, got } = await server(talkative(message("one", 3), release));
    const silent = await RawClient.connected(address);
    await silent.expect("publish");
    await silent.expect("pubrel");
    silent.send({ cmd: "pingreq" });
    await silent.expect("pingresp");
    expect(got.map(({ cmd }) => cmd)).toEqual(["connect", "pingreq"]);

    const polite = await RawClient.open(address);
    polite.acknowledge = true;
    await polite.connect();
    polite.send({ cmd: "pingreq" });
    await polite.find("pingresp");
    expect(got.slice(2)).toMatchObject([
      { cmd: "connect" },
      { cmd: "puback", messageId: 3 },
      { cmd: "pubcomp", messageId: 7 },
      { cmd: "pingreq" },
    ]);
  });
});
