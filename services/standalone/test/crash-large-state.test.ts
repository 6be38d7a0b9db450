import { RawClient, Scope, startBroker, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { residentMemory } from "./crash/memory.ts";

/** A twentieth of what a large broker keeps; CANOPY_CRASH_LARGE=20 is all of it. */
const times = Number(process.env.CANOPY_CRASH_LARGE ?? 1);
const sessions = 5_000 * times;
const perSession = 2;
const retained = 2_500 * times;
/** Clients that connect at once, and messages in flight. */
const together = 250;

const durable = { clean: false, properties: { sessionExpiryInterval: 3600 } };

test(`${sessions} sessions with a backlog are back after a crash`, {
  timeout: 60_000 * (times + 1),
}, async () => {
  const broker = await startBroker({ timeout: 120_000, set: { "session.snapshotEvery": "1MiB" } });
  const timeout = 60_000;
  for (let first = 0; first < sessions; first += together) {
    const scope = new Scope();
    const numbers = Array.from(
      { length: Math.min(together, sessions - first) },
      (_, i) => first + i,
    );
    await Promise.all(
      numbers.map(async (n) => {
        const fields = { clientId: `client-${n}`, timeout, ...durable };
        const client = await RawClient.connected(broker.tcp, fields, scope);
        await client.subscribe(`own/${n}`, { qos: 1 });
        await client.disconnect();
      }),
    );
    await scope.close();
  }
  const publisher = await RawClient.connected(broker.tcp, { timeout });
  await publishAll(publisher, retained, (n) => [`kept/${n}`, `value ${n}`, true]);
  await publishAll(publisher, sessions * perSession, (n) => {
    return [`own/${n % sessions}`, `message ${Math.floor(n / sessions)}`, false];
  });

  await broker.kill9();
  const began = performance.now();
  await broker.start();
  const took = performance.now() - began;
  const memory = await residentMemory(broker.pid);
  console.log(
    `started in ${took.toFixed(0)} ms, ${memory.toFixed(0)} MiB, with ${sessions} sessions, ` +
      `${sessions * perSession} queued and ${retained} retained messages`,
  );
  for (let n = 0; n < sessions; n += Math.floor(sessions / 50)) {
    const client = await RawClient.open(broker.tcp, { timeout });
    await client.connect({ clientId: `client-${n}`, ...durable }, { sessionPresent: true });
    for (let message = 0; message < perSession; message++) {
      const payload = `message ${message}`;
      const { messageId = 0 } = await client.expect("publish", { topic: `own/${n}`, payload });
      client.send({ cmd: "puback", messageId });
    }
    await client.disconnect();
  }
  const reader = await RawClient.connected(broker.tcp, { timeout });
  reader.acknowledge = true;
  await reader.subscribe("kept/#", { qos: 1 });
  await waitFor(() => reader.waiting.length >= retained, { timeout });
  expect(reader.waiting).toHaveLength(retained);
  expect(
    new Set(reader.waiting.map((packet) => packet.cmd === "publish" && packet.topic)).size,
  ).toBe(retained);
  expect(broker.log.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
});

async function publishAll(
  client: RawClient,
  count: number,
  message: (n: number) => readonly [topic: string, payload: string, retain: boolean],
): Promise<void> {
  for (let first = 0; first < count; first += together) {
    const last = Math.min(first + together, count);
    const ids: number[] = [];
    for (let n = first; n < last; n++) {
      const [topic, payload, retain] = message(n);
      ids.push(client.sendPublish(topic, payload, { qos: 1, retain }));
    }
    for (const messageId of ids) {
      const { reasonCode = 0 } = await client.expect("puback", { messageId });
      if (reasonCode >= 0x80) throw new Error(`PUBACK ${reasonCode}`);
    }
  }
}
