import { existsSync } from "node:fs";
import { type Broker, type Packet, RawClient, startBroker, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { highestMemory } from "./crash/memory.ts";

const durable = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const payload = "x".repeat(1000);

/** Its messages, counted rather than kept. */
class Counting extends RawClient {
  count = 0;
  last = "";
  isOrdered = true;

  protected override arrived(packet: Packet): void {
    if (packet.cmd !== "publish") {
      super.arrived(packet);
      return;
    }
    this.count++;
    const seq = String(packet.payload).slice(0, 9);
    if (seq <= this.last) this.isOrdered = false;
    this.last = seq;
    if (packet.qos === 1) this.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
  }
}

async function counting(broker: Broker, qos: 0 | 1, fields = {}): Promise<Counting> {
  const client = new Counting();
  await client.open(broker.tcp);
  await client.connect(fields);
  await client.subscribe("t", { qos });
  return client;
}

/** Numbered messages, each burst when the reader has the one before. Messages per second. */
async function flood(
  publisher: RawClient,
  reader: Counting,
  qos: 0 | 1,
  messages: number,
): Promise<number> {
  const began = performance.now();
  const start = reader.count;
  for (let sent = 0; sent < messages; ) {
    const burst = Math.min(messages - sent, 200);
    for (let i = 0; i < burst; i++) {
      publisher.sendPublish("t", String(start + sent + i).padStart(9, "0") + payload, { qos });
    }
    sent += burst;
    await waitFor(() => reader.count === start + sent, { what: () => `${start + sent} messages` });
  }
  return messages / ((performance.now() - began) / 1000);
}

describe.skipIf(!existsSync("/proc/self/status"))(
  "a subscriber that does not read",
  {
    timeout: 60_000,
  },
  () => {
    test("costs bounded memory at QoS 0, and others keep their speed", async () => {
      const broker = await startBroker({ set: { "limits.connectionOutputBytes": "4MiB" } });
      const reader = await counting(broker, 0);
      const publisher = await RawClient.connected(broker.tcp);
      await flood(publisher, reader, 0, 20_000);
      const alone = await flood(publisher, reader, 0, 20_000);
      const before = await highestMemory(broker.pid, () => Promise.resolve());

      const deaf = await counting(broker, 0);
      deaf.transport.pause();
      let beside = 0;
      const highest = await highestMemory(broker.pid, async () => {
        beside = await flood(publisher, reader, 0, 100_000);
      });
      console.log({ alone, beside, before, highest });
      expect(highest - before).toBeLessThan(48);
      expect(beside).toBeGreaterThan(alone / 4);
      expect(reader.isOrdered).toBe(true);
      deaf.transport.resume();
      await waitFor(() => deaf.count > 0);
      expect(deaf.isOrdered).toBe(true);
      expect(deaf.count).toBeLessThan(100_000);
    });

    test("is disconnected at QoS 1 without a durable session, and others keep their speed", async () => {
      const broker = await startBroker({
        set: { "limits.transientQueueMessages": 1000, "limits.connectionOutputBytes": "4MiB" },
      });
      const reader = await counting(broker, 1);
      const publisher = await RawClient.connected(broker.tcp);
      await flood(publisher, reader, 1, 10_000);
      const alone = await flood(publisher, reader, 1, 10_000);
      const before = await highestMemory(broker.pid, () => Promise.resolve());

      const deaf = await counting(broker, 1);
      deaf.transport.pause();
      let beside = 0;
      const highest = await highestMemory(broker.pid, async () => {
        beside = await flood(publisher, reader, 1, 30_000);
      });
      console.log({ alone, beside, before, highest });
      expect(highest - before).toBeLessThan(48);
      expect(beside).toBeGreaterThan(alone / 4);
      deaf.transport.resume();
      await deaf.find("disconnect", { reasonCode: 0x97 });
      expect(deaf.isOrdered).toBe(true);
      expect(reader.isOrdered).toBe(true);
    });

    test("finds its backlog when it reads again, with a durable session", async () => {
      const broker = await startBroker();
      const reader = await counting(broker, 1);
      const publisher = await RawClient.connected(broker.tcp);
      const deaf = await counting(broker, 1, { clientId: "deaf", ...durable });
      await flood(publisher, reader, 1, 10_000);
      const alone = await flood(publisher, reader, 1, 10_000);
      await waitFor(() => deaf.count === 20_000);
      const before = await highestMemory(broker.pid, () => Promise.resolve());

      deaf.transport.pause();
      let beside = 0;
      const highest = await highestMemory(broker.pid, async () => {
        beside = await flood(publisher, reader, 1, 50_000);
      });
      console.log({ alone, beside, before, highest });
      // also the store's: what is not read stays in its cache and its write buffers for a while
      expect(highest - before).toBeLessThan(160);
      expect(beside).toBeGreaterThan(alone / 4);
      deaf.transport.resume();
      await waitFor(() => deaf.count === 70_000, { what: () => `${deaf.count} of 70000` });
      expect(deaf.isOrdered).toBe(true);
    });

    test("loses the oldest of its backlog beyond the limit of a queue, which is counted", async () => {
      const broker = await startBroker({
        set: { "limits.maxQueuedMessages": 1000, "sys.interval": "50ms" },
      });
      const reader = await counting(broker, 1);
      const publisher = await RawClient.connected(broker.tcp);
      const away = await counting(broker, 1, { clientId: "away", ...durable });
      await away.disconnect();
      await flood(publisher, reader, 1, 20_000);

      await broker.logged(/oldest messages were dropped/, { queue: "t" });
      const observer = await RawClient.connected(broker.tcp);
      await observer.subscribe("$SYS/broker/publish/messages/dropped");
      let dropped = 0;
      // what came since the last look at the queue is dropped by the next one
      await waitFor(async () => {
        dropped = Number((await observer.expect("publish")).payload);
        return dropped >= 19_000;
      });
      const back = new Counting();
      await back.open(broker.tcp);
      await back.connect({ clientId: "away", ...durable }, { sessionPresent: true });
      await waitFor(() => back.last === "000019999");
      expect(back.isOrdered).toBe(true);
      expect(back.count).toBe(20_000 - dropped);
      expect(back.count).toBeGreaterThan(0);
    });
  },
);
