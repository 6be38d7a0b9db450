import { expect, test } from "vitest";
import { connect, TestClient } from "./client.ts";
import { World } from "./world.ts";

const SUBSCRIBERS = 100;
/** So many that what others get goes before. */
const MANY = 300;
/** What a write takes, in ms: a turn has no time for all of them. */
const WRITE = 0.2;

/** Many whose writes take time. */
function slowed(world: World, clients: readonly TestClient[]): void {
  for (const { transport } of clients) {
    const write = transport.write.bind(transport);
    transport.write = (bytes) => {
      world.time.advance(WRITE);
      write(bytes);
    };
  }
}

test("a fan-out is live traffic until its last write, a backlog is none", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const clients = Array.from({ length: SUBSCRIBERS }, (_, i) => new TestClient(world, `c${i}`));
  for (const client of clients) {
    await client.resume();
    await client.subscribe("t", { qos: 1 });
  }
  slowed(world, clients);
  const { gateway } = world;
  const before = gateway.liveTraffic;
  publisher.publish("t", "live", { qos: 1 });
  await world.settle();
  // The message, its push, and the turns in which it is written.
  expect(gateway.liveTraffic - before).toBeGreaterThan(3);
  for (const client of clients) expect(client.payloads()).toEqual(["live"]);

  for (const client of clients) client.transport.drop();
  await world.settle();
  for (let i = 0; i < 50; i++) publisher.publish("t", `${i}`, { qos: 1 });
  await world.settle();
  const away = gateway.liveTraffic;
  const time = world.time.now();
  const sessions = { clean: false, properties: { sessionExpiryInterval: 0xff_ff_ff_ff } };
  for (const client of clients) client.open(sessions);
  slowed(world, clients);
  await world.settle(200);
  const all = Array.from({ length: 50 }, (_, i) => `${i}`);
  for (const client of clients) expect(client.payloads().slice(-50)).toEqual(all);
  expect(world.time.now() - time).toBeGreaterThan(SUBSCRIBERS * WRITE);
  expect(gateway.liveTraffic).toBe(away);
});

test("what comes behind a fan-out to many does not wait until all of them are written to", async () => {
  const world = await World.start({ shards: 1 });
  const publisher = await connect(world, "publisher");
  const other = await connect(world, "other");
  await other.subscribe("other");
  const clients: TestClient[] = [];
  while (clients.length < MANY) clients.push(await connect(world, `c${clients.length}`));
  for (const client of clients) await client.subscribe("t");
  slowed(world, [...clients, other]);
  const time = world.time.now();
  let waited = Number.POSITIVE_INFINITY;
  const { transport } = other;
  const write = transport.write.bind(transport);
  transport.write = (bytes) => {
    waited = world.time.now() - time;
    write(bytes);
  };
  publisher.publish("t", "to many");
  publisher.publish("other", "to one");
  await world.settle();
  expect(other.payloads()).toEqual(["to one"]);
  for (const client of clients) expect(client.payloads()).toEqual(["to many"]);
  expect(world.time.now() - time).toBeGreaterThanOrEqual(MANY * WRITE);
  expect(waited).toBeLessThan(1);
});
