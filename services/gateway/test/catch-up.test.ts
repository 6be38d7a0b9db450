import { expect, test } from "vitest";
import { connect, TestClient } from "./client.ts";
import { World } from "./world.ts";

const SHARDS = 8;
/** Each read of a backlog brings less than the shards' readers of one client ask for together. */
const SETTINGS = { maxInflight: 1000, receiveMaximum: 1000 };
const BACKLOG = 6000;
const TOPICS = 16;

/** Durable sessions that have this backlog, connected again; they acknowledge at once. */
async function behind(
  world: World,
  qos: 1 | 2,
  names: readonly string[],
): Promise<readonly TestClient[]> {
  const clients = names.map((name) => new TestClient(world, name));
  for (const client of clients) {
    await client.resume();
    await client.subscribe("old/+", { qos });
    client.transport.drop();
  }
  const publisher = await connect(world, "filling");
  for (let i = 0; i < BACKLOG; i++) {
    publisher.publish(`old/${i % TOPICS}`, `${i}`, { qos });
    if (i % 500 === 499) await world.settle(20);
  }
  await world.settle();
  const session = { clean: false, properties: { sessionExpiryInterval: 0xff_ff_ff_ff } };
  for (const client of clients) client.open(session);
  return clients;
}

test.each([1, 2] as const)(
  "at QoS %d nobody who catches up beside live traffic waits for another",
  async (qos) => {
    const world = await World.start({ shards: SHARDS, settings: SETTINGS });
    const live = await connect(world, "live");
    const clients = await behind(world, qos, ["first", "second", "third"]);
    const received = clients.map(() => 0);
    const count = () => {
      for (const [i, client] of clients.entries()) received[i]! += client.payloads().length;
      return received;
    };
    for (let turn = 0; turn < 5000 && Math.max(...count()) < BACKLOG / 2; turn++) {
      live.publish("live", "now");
      world.time.advance(0.5);
      await world.settle(1);
    }
    expect(Math.max(...received)).toBeGreaterThanOrEqual(BACKLOG / 2);
    expect(Math.min(...received)).toBeGreaterThan(BACKLOG / 4);
  },
);
