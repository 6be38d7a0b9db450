import { expect, test } from "vitest";
import { connect, resume, TestClient } from "./client.ts";
import { World } from "./world.ts";

test("[MQTT-4.3.2-4] what comes of an answer at the end of a turn is sent without another event", async () => {
  const world = await World.start({ settings: { receiveMaximum: 4 } });
  const client = await connect(world, "c", 4);
  for (let i = 0; i < 50; i++) client.publish("nobody/listens", `${i}`, { qos: 1 });
  await world.settle(500);
  expect(client.takeAll("puback").length).toBe(50);
});

test("[MQTT-3.1.4-3] a client id in use: the earlier connection hears 0x8E and is closed", async () => {
  const world = await World.start();
  const first = await resume(world, "same");
  const second = await resume(world, "same");
  expect(first.take("disconnect").reasonCode).toBe(0x8e);
  expect(first.isClosed).toBe(true);
  expect(second.isClosed).toBe(false);
});

test("[MQTT-3.1.2-22] one and a half times the keep alive", async () => {
  const world = await World.start();
  const client = new TestClient(world, "c");
  await client.connect({ keepalive: 10 });
  await world.pass(14_000, 250);
  expect(client.isClosed).toBe(false);
  client.send({ cmd: "pingreq" });
  await world.pass(14_000, 250);
  expect(client.isClosed).toBe(false);
  await world.pass(2000, 250);
  expect(client.isClosed).toBe(true);
});

test("a client that sends but does not read costs bounded memory, and is read from again when it does", async () => {
  const world = await World.start({ limits: { connectionOutputBytes: 1000 } });
  const client = await connect(world, "c");
  client.transport.slow = true;
  for (let i = 0; i < 20; i++) {
    for (let k = 0; k < 500; k++) client.send({ cmd: "pingreq" });
    await world.settle(5);
  }
  expect(client.transport.isPaused).toBe(true);
  expect(client.transport.backlog).toBeLessThan(4000);
  client.transport.slow = false;
  await world.settle();
  expect(client.takeAll("pingresp").length).toBe(10_000);
});

test("packets of more than 16 KiB and of more than 1 MiB, to one and to many, also to slow ones", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const clients = await Promise.all(["a", "b", "c"].map((name) => connect(world, name, 5)));
  for (const client of clients) await client.subscribe("t", { qos: 1 });
  for (const client of clients.slice(1)) client.transport.slow = true;
  const sizes = [10, 16_300, 20_000, 100_000, 2_000_000, 5];
  for (const [i, size] of sizes.entries()) {
    publisher.publish("t", Buffer.alloc(size, i), { qos: i % 2 === 0 ? 1 : 0 });
  }
  await world.settle();
  for (const client of clients) client.transport.slow = false;
  await world.settle();
  for (const client of clients) {
    const payloads = client.takeAll("publish").map(({ payload }) => payload as Buffer);
    expect(payloads.map(({ length }) => length)).toEqual(sizes);
    for (const [i, payload] of payloads.entries()) {
      expect(payload.every((byte) => byte === i)).toBe(true);
    }
  }
});

test("a publisher waits for a slow subscriber, for a time", async () => {
  const world = await World.start({
    settings: { receiveMaximum: 60_000 },
    limits: { transientQueueMessages: 5000 },
  });
  const publisher = await connect(world, "publisher");
  const slow = new TestClient(world, "slow");
  slow.acknowledge = false;
  await slow.connect({ properties: { receiveMaximum: 1 } });
  await slow.subscribe("t", { qos: 1 });
  for (let i = 0; i < 1500; i++) publisher.publish("t", "x", { qos: 1 });
  await world.settle();
  const early = publisher.takeAll("puback").length;
  expect(early).toBeGreaterThan(900);
  expect(early).toBeLessThan(1100);
  await world.pass(600);
  expect(early + publisher.takeAll("puback").length).toBe(1500);
});

test("a transient session that lets too much pile up hears 0x97, and no other misses anything by it", async () => {
  const world = await World.start({
    settings: { receiveMaximum: 60_000 },
    limits: { transientQueueMessages: 50 },
  });
  const publisher = await connect(world, "publisher");
  const before = await connect(world, "before");
  const stuck = new TestClient(world, "stuck");
  stuck.acknowledge = false;
  await stuck.connect({ properties: { receiveMaximum: 1 } });
  const after = await connect(world, "after");
  for (const client of [before, stuck, after]) await client.subscribe("t", { qos: 1 });
  for (const client of [stuck, after]) await client.subscribe("$share/g/s", { qos: 1 });
  publisher.publish("s", "0", { qos: 1 });
  const wanted = Array.from({ length: 90 }, (_, i) => `${i}`);
  for (const text of wanted) publisher.publish("t", text, { qos: 1 });
  await world.settle(200);
  expect(stuck.take("disconnect").reasonCode).toBe(0x97);
  expect(before.payloads()).toEqual(wanted);
  expect(
    after
      .takeAll("publish")
      .filter(({ topic }) => topic === "t")
      .map(({ payload }) => payload.toString()),
  ).toEqual(wanted);
});

test("[MQTT-3.14.4-1] stopping tells every client 0x8B", async () => {
  const world = await World.open();
  const clients = await Promise.all(["a", "b", "c"].map((name) => resume(world, name)));
  await world.stop();
  await world.settle();
  for (const client of clients) {
    expect(client.take("disconnect").reasonCode).toBe(0x8b);
    expect(client.isClosed).toBe(true);
  }
  expect(world.time.pending).toBe(0);
});

test("[MQTT-3.1.2-25] any number of messages may wait that turn out to be larger than the client takes", async () => {
  const limits = { transientQueueMessages: 20_000, transientQueueBytes: 2 ** 30 };
  const world = await World.start({ settings: { receiveMaximum: 60_000 }, limits });
  const publisher = await connect(world, "publisher");
  const client = new TestClient(world, "c");
  client.acknowledge = false;
  await client.connect({ properties: { receiveMaximum: 1, maximumPacketSize: 100 } });
  await client.subscribe("t", { qos: 1 });
  publisher.publish("t", "first", { qos: 1 });
  const large = Buffer.alloc(200);
  for (let i = 0; i < 15_000; i++) publisher.publish("t", large, { qos: 1 });
  publisher.publish("t", "last", { qos: 1 });
  await world.settle(200);
  client.send({ cmd: "puback", messageId: client.take("publish").messageId ?? 0 });
  await world.settle();
  expect(client.payloads()).toEqual(["last"]);
  expect(client.isClosed).toBe(false);
});
