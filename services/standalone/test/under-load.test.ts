import { type PacketOf, RawClient, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { acknowledge, fresh, lasting, sessionsOf } from "./support.ts";
import { sharedTarget } from "./target.ts";

const broker = sharedTarget();
const expectSession = sessionsOf(broker);

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

/** The numbers that have come, in their order. */
function received(client: RawClient): number[] {
  return client.waiting.flatMap((got) => (got.cmd === "publish" ? [Number(got.payload)] : []));
}

/** Publishes 0, 1, 2 … one after the other, each when the last has been acknowledged. */
class Counter {
  /** The next number. */
  next = 0;
  #running = true;
  readonly #done: Promise<void>;

  constructor(publisher: RawClient, topic: string, qos: 1 | 2, limit = Number.POSITIVE_INFINITY) {
    this.#done = this.#run(publisher, topic, qos, limit);
  }

  async #run(publisher: RawClient, topic: string, qos: 1 | 2, limit: number): Promise<void> {
    while (this.#running && this.next < limit) {
      await publisher.publish(topic, `${this.next++}`, { qos });
    }
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  finished(): Promise<void> {
    return this.#done;
  }
}

test("from SUBACK on every message comes, once and in order, to sessions of both kinds", async () => {
  const topic = fresh();
  const counter = new Counter(await RawClient.connected(broker.tcp), topic, 1);
  for (let round = 0; round < 20; round++) {
    const client = await RawClient.connected(broker.tcp, {
      clientId: fresh(),
      properties: round % 2 === 0 ? lasting : {},
    });
    client.acknowledge = true;
    await client.subscribe(topic, { qos: 1 });
    const from = counter.next;
    await waitFor(() => (received(client).at(-1) ?? 0) >= from + 20);
    const got = received(client);
    const [first = 0] = got;
    expect(first).toBeLessThanOrEqual(from);
    expect(got).toEqual(numbers(got.length, first));
    await client.disconnect();
  }
  await counter.stop();
});

test.each([{}, lasting])(
  "[MQTT-3.8.4-4] nothing is lost when a subscription is replaced again and again (%o)",
  async (properties) => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp, { clientId: fresh(), properties });
    client.acknowledge = true;
    await client.subscribe(topic, { qos: 1 });
    const counter = new Counter(await RawClient.connected(broker.tcp), topic, 1, 300);
    for (let i = 1; i <= 40; i++) {
      await client.subscribe(topic, {
        qos: i % 2 === 0 ? 1 : 2,
        properties: { subscriptionIdentifier: i },
      });
    }
    await counter.finished();
    await waitFor(() => received(client).length >= 300);
    expect(received(client)).toEqual(numbers(300));
  },
);

test.each([1, 2] as const)(
  "a session that breaks and resumes again and again gets every message in order, at QoS 2 once (QoS %i)",
  async (qos) => {
    const [topic, clientId, total] = [fresh(), fresh(), 300];
    let client = await expectSession(clientId, false);
    await client.subscribe(topic, { qos });
    const publisher = await RawClient.connected(broker.tcp);
    const counter = new Counter(publisher, topic, qos, total);
    const seen: number[] = [];
    /** At QoS 2: identifiers of messages that have been taken and are not released. */
    const taken = new Set<number>();
    const take = ({ messageId = 0, payload }: PacketOf<"publish">): void => {
      const number = Number(payload);
      // QoS 1 may repeat what was not acknowledged; QoS 2 under the identifier that it had
      const isRepeated = qos === 1 ? seen.includes(number) : taken.has(messageId);
      if (!isRepeated) seen.push(number);
      taken.add(messageId);
      acknowledge(client, qos === 1 ? "puback" : "pubrec", messageId);
    };
    while (seen.length < total) {
      for (let i = 0; i < 25 && seen.length < total; i++) {
        const { cmd } = await waitFor(() => client.waiting[0]);
        if (cmd === "publish") {
          take(await client.expect("publish"));
        } else {
          const { messageId = 0 } = await client.expect("pubrel");
          taken.delete(messageId);
          acknowledge(client, "pubcomp", messageId);
        }
      }
      client.transport.destroy();
      client = await expectSession(clientId, true);
    }
    await counter.finished();
    expect(seen).toEqual(numbers(total));
  },
);
