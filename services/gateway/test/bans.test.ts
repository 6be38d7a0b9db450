/** Who may not connect. */
import { expect, test } from "vitest";
import type { Banned } from "../src/options.ts";
import { enforceBans } from "../src/session/open.ts";
import { connect, TestClient } from "./client.ts";
import { World } from "./world.ts";

async function start() {
  const banned = new Set<string>();
  const asked: Banned[] = [];
  const world = await World.start({
    whyBanned: (who) => {
      asked.push(who);
      return banned.has(who.clientId) ? "banned: noise" : undefined;
    },
  });
  return { world, banned, asked };
}

test("a banned client gets 0x8A, or 5 before MQTT 5, and has no session", async () => {
  const { world, banned, asked } = await start();
  banned.add("c");
  for (const version of [5, 4] as const) {
    const client = new TestClient(world, { clientId: "c", version });
    client.open();
    await world.settle();
    const code = version === 5 ? { reasonCode: 0x8a } : { returnCode: 5 };
    expect(client.take("connack")).toMatchObject(code);
    expect(client.isClosed).toBe(true);
  }
  expect(asked[0]).toMatchObject({ clientId: "c", user: undefined });
  expect((await world.gateway.sessions.counts()).sessions).toBe(0);
  banned.clear();
  await connect(world, "c");
});

test("who is banned while connected is disconnected, with 0x98 and his will", async () => {
  const { world, banned } = await start();
  const witness = await connect(world, "witness");
  await witness.subscribe("will", { qos: 0 });
  const client = new TestClient(world, "c");
  await client.connect({
    will: { topic: "will", payload: Buffer.from("gone"), qos: 0, retain: false },
  });
  banned.add("c");
  enforceBans(world.gateway);
  await world.settle();
  expect(client.take("disconnect")).toMatchObject({ reasonCode: 0x98 });
  expect(client.isClosed).toBe(true);
  expect(witness.isClosed).toBe(false);
  expect(witness.payloads()).toEqual(["gone"]);
});

test("a ban that comes while the session is being opened is not overlooked", async () => {
  const { world, banned } = await start();
  const release = world.holdLog();
  const client = new TestClient(world, "c");
  client.open();
  await world.settle();
  banned.add("c");
  enforceBans(world.gateway);
  release();
  await world.settle();
  expect(client.take("connack")).toMatchObject({ reasonCode: 0x8a });
  expect(client.isClosed).toBe(true);
});
