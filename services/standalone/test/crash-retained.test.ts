import { RawClient, startBroker, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";

const VALUES = 300;
const fields = {
  clientId: "subscriber",
  clean: false,
  properties: { sessionExpiryInterval: 3600, receiveMaximum: 10 },
};

/** Keeps what QoS 2 needs for as long as the session: the identifiers of what it has. */
class Subscriber {
  readonly taken: string[] = [];
  readonly #known = new Set<number>();

  /** Takes one packet; leaves a PUBLISH without an answer where `acknowledges` is false. */
  async step(client: RawClient, acknowledges: boolean): Promise<void> {
    await waitFor(() => client.waiting.length > 0);
    if (client.waiting[0]?.cmd === "pubrel") {
      const { messageId = 0 } = await client.expect("pubrel");
      this.#known.delete(messageId);
      client.send({ cmd: "pubcomp", messageId });
      return;
    }
    const { messageId = 0, topic } = await client.expect("publish", { qos: 2 });
    if (!this.#known.has(messageId)) this.taken.push(topic);
    this.#known.add(messageId);
    if (acknowledges) client.send({ cmd: "pubrec", messageId });
  }

  async takeUntil(client: RawClient, count: number): Promise<void> {
    while (this.taken.length < count) await this.step(client, this.taken.length < count - 3);
  }

  async finish(client: RawClient): Promise<void> {
    while (this.taken.length < VALUES || this.#known.size > 0) await this.step(client, true);
  }
}

test.each(["the connection breaks", "kill -9"])(
  "[MQTT-4.4.0-1] retained values of a durable session come once at QoS 2: %s",
  async (how) => {
    const broker = await startBroker();
    const publisher = await RawClient.connected(broker.tcp);
    for (let i = 0; i < VALUES; i++) {
      await publisher.publish(`r/${i}`, `${i}`, { qos: 2, retain: true });
    }
    const subscriber = new Subscriber();
    let client = await RawClient.connected(broker.tcp, fields);
    await client.subscribe("r/#", { qos: 2 });
    for (const count of [5, 150, 289]) {
      await subscriber.takeUntil(client, count);
      if (how === "kill -9") {
        await broker.kill9();
        await broker.start();
      } else client.transport.destroy();
      client = await RawClient.connected(broker.tcp, fields);
    }
    await subscriber.finish(client);
    // what the session is told last tells that nothing else was to come
    await client.subscribe("end", { qos: 2 });
    const other = await RawClient.connected(broker.tcp);
    await other.publish("end", "", { qos: 2 });
    await client.expect("publish", { topic: "end" });
    expect(subscriber.taken.length).toBe(VALUES);
    expect(new Set(subscriber.taken).size).toBe(VALUES);
  },
);
