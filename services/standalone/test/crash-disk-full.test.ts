import { seededRandom } from "@canopy/base";
import {
  type Broker,
  Ledger,
  RawClient,
  type Scope,
  SmallDisk,
  startBroker,
  testScope,
  waitFor,
} from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { History } from "./crash/history.ts";
import { SessionClient } from "./crash/session-client.ts";

const isPossible = SmallDisk.canMount();
const durable = { clean: false, properties: { sessionExpiryInterval: 3600 } };
/** More than the rest of a block that is in use already. */
const size = 5000;

interface World {
  readonly disk: SmallDisk;
  readonly broker: Broker;
  readonly ledger: Ledger;
  readonly history: History;
  readonly online: SessionClient;
  readonly away: SessionClient;
}

async function build(): Promise<World> {
  const scope = testScope();
  const disk = await SmallDisk.mount(64 << 20, scope);
  const broker = await startBroker({ data: `${disk.path}/data`, timeout: 30_000 }, scope);
  const [ledger, history] = [new Ledger(), new History()];
  const subscriber = (clientId: string) => subscribed(clientId, broker, ledger, history, scope);
  const [online, away] = [await subscriber("online"), await subscriber("away")];
  await away.leave();
  return { disk, broker, ledger, history, online, away };
}

async function subscribed(
  clientId: string,
  broker: Broker,
  ledger: Ledger,
  history: History,
  scope: Scope,
): Promise<SessionClient> {
  ledger.subscribe(clientId);
  const client = new SessionClient({
    clientId,
    address: () => broker.tcp,
    history,
    random: seededRandom(1),
    scope,
    received: ({ payload }) => ledger.receive(clientId, payload),
  });
  await client.stay();
  await client.subscribe([{ filter: "d/#", qos: 2 }]);
  return client;
}

/** Publishes one message; the reason code of its PUBACK or PUBREC. */
async function publish(client: RawClient, ledger: Ledger, qos: 1 | 2): Promise<number> {
  const payload = ledger.publish(`v5:${qos}`, size);
  const answer = await client.publish(`d/${qos}`, payload, { qos });
  const code = answer?.reasonCode ?? 0;
  if (code < 0x80) ledger.acknowledge(payload);
  return code;
}

/** Until it is refused: what the broker had room for already may still take some. */
async function publishUntilRefused(client: RawClient, ledger: Ledger, qos: 1 | 2): Promise<number> {
  return waitFor(async () => {
    const code = await publish(client, ledger, qos);
    return code >= 0x80 && code;
  });
}

/** Everything acknowledged has arrived everywhere, in order and, at QoS 2, once. */
async function expectComplete({ ledger, history }: World): Promise<void> {
  await waitFor(() => ledger.missing === 0, {
    timeout: 20_000,
    what: () => `${ledger.missing} of the acknowledged messages`,
  });
  const { lost, outOfOrder, unexpected, duplicated } = ledger.report();
  const twice = duplicated.filter(({ publisher }) => publisher.endsWith(":2"));
  expect({ lost, outOfOrder, unexpected, twice }).toEqual({
    lost: [],
    outOfOrder: [],
    unexpected: [],
    twice: [],
  });
  expect(history.violations).toEqual([]);
}

if (!isPossible) {
  console.warn("\n!!! NOT TESTED: a full disk. This process can't mount a small one. !!!\n");
}

describe.skipIf(!isPossible)("on a full disk", { timeout: 60_000 }, () => {
  test("nothing is acknowledged, QoS 0 goes on, and with room again all recovers by itself", async () => {
    const world = await build();
    const { disk, broker, ledger, away } = world;
    const v5 = await RawClient.connected(broker.tcp, { clientId: "v5", ...durable });
    const old = await RawClient.connected(broker.tcp, { clientId: "v4", version: 4, clean: false });
    const unstored = await RawClient.connected(broker.tcp, { clientId: "unstored" });
    await unstored.subscribe("z/#");
    for (const qos of [1, 2, 1, 2] as const)
      expect(await publish(v5, ledger, qos)).toBeLessThan(0x80);

    await disk.fill();
    for (const qos of [1, 2] as const) {
      expect(await publishUntilRefused(v5, ledger, qos)).toBe(0x97);
    }
    // v3 knows no negative acknowledgement: without one the client sends it again
    old.sendPublish("d/old", "refused".padEnd(size), { qos: 1 });
    await old.expectClosed();
    for (let i = 0; i < 100; i++) {
      v5.sendPublish("z/q0", String(i));
      await unstored.expect("publish", { topic: "z/q0", payload: String(i), qos: 0 });
    }
    await expectRefusedSessions(broker, v5);
    expect(broker.log.find(({ msg }) => /append failed/.test(msg))).toMatchObject({
      err: { message: expect.stringMatching(/no space left|bytes are free/i) as string },
    });

    await disk.makeRoom();
    for (const qos of [1, 2] as const) {
      await waitFor(async () => (await publish(v5, ledger, qos)) < 0x80, { what: "recovery" });
    }
    await away.stay();
    await expectComplete(world);
    await RawClient.connected(broker.tcp, { clientId: "new", ...durable });
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
  });

  test("kill -9 loses nothing that was acknowledged before, between and after refusals", async () => {
    const world = await build();
    const { disk, broker, ledger, away } = world;
    for (let round = 0; round < 3; round++) {
      const v5 = await RawClient.connected(broker.tcp, { clientId: "v5", ...durable });
      for (let i = 0; i < 20; i++) await publish(v5, ledger, i % 2 === 0 ? 1 : 2);
      const filling = disk.fill();
      for (const qos of [1, 2] as const) await publishUntilRefused(v5, ledger, qos);
      await filling;
      for (let i = 0; i < 20; i++) await publish(v5, ledger, i % 2 === 0 ? 1 : 2);
      if (round % 2 === 0) await broker.kill9();
      await disk.makeRoom();
      if (round % 2 === 0) {
        await broker.start();
        continue;
      }
      await waitFor(async () => (await publish(v5, ledger, 2)) < 0x80, { what: "recovery" });
      await broker.kill9();
      await broker.start();
    }
    await away.stay();
    await expectComplete(world);
  });

  test("it stops in time, says why it can't start, and starts where there is room again", async () => {
    const world = await build();
    const { disk, broker, ledger, online, away } = world;
    const v5 = await RawClient.connected(broker.tcp, { clientId: "v5", ...durable });
    for (let i = 0; i < 20; i++) await publish(v5, ledger, i % 2 === 0 ? 1 : 2);
    await disk.fill();
    await publishUntilRefused(v5, ledger, 2);
    const began = performance.now();
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeLessThan(10_000);

    await expect(broker.start()).rejects.toThrow(/code 2.*\ncanopy: .*no space left/i);
    await disk.makeRoom();
    await broker.start();
    const again = await RawClient.connected(broker.tcp, { clientId: "v5", ...durable });
    await waitFor(async () => (await publish(again, ledger, 2)) < 0x80, { what: "recovery" });
    await Promise.all([online.stay(), away.stay()]);
    await expectComplete(world);
  });
});

/**
 * Whoever would have to be remembered is told no, and is not kept waiting. The last block of a file
 * may take a few more, so it is asked until then.
 */
async function expectRefusedSessions(broker: Broker, connected: RawClient): Promise<void> {
  const name = "late".padEnd(1000, "-");
  let names = 0;
  const refused = async (version: 4 | 5, fields: object): Promise<number> => {
    const client = await RawClient.open(broker.tcp, { version });
    client.sendConnect({ clientId: `${name}${++names}`, ...fields });
    const { reasonCode, returnCode } = await client.expect("connack");
    return reasonCode ?? returnCode ?? 0;
  };
  const code = await waitFor(() => refused(5, durable), { what: "a CONNECT to be refused" });
  expect(code).toBe(0x88);
  expect(await refused(4, { clean: false })).toBe(3);
  const messageId = connected.nextMessageId();
  const subscriptions = [{ topic: `${name}/#`, qos: 1 as const }];
  connected.send({ cmd: "subscribe", messageId, subscriptions });
  const { granted } = await connected.find("suback", { messageId });
  expect(granted).toEqual([0x80]);
}
