import type { RawClient } from "@canopy/testkit";
import { waitFor } from "@canopy/testkit";
import { expect } from "vitest";
import type { SessionClient } from "./session-client.ts";

const topics = ["r/0", "r/1", "r/2", "r/3", "r/4"];

interface Value {
  sent: number;
  acknowledged: number;
}

/** Keeps setting retained values, each higher than the one before. */
export class RetainedWriter {
  readonly #client: SessionClient;
  readonly #values = new Map<string, Value>(
    topics.map((topic) => [topic, { sent: 0, acknowledged: 0 }]),
  );
  #stopped = false;
  #running: Promise<void>[] = [];

  constructor(client: SessionClient) {
    this.#client = client;
  }

  start(): void {
    this.#stopped = false;
    this.#running = [...this.#values].map(([topic, value]) => this.#work(topic, value));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** Whoever subscribes now gets the last acknowledged value, or one that was sent later. */
  async check(client: RawClient): Promise<void> {
    await client.subscribe("r/#", { qos: 1 });
    const found = await waitFor(
      () => {
        const publishes = client.waiting.filter((packet) => packet.cmd === "publish");
        return publishes.length >= topics.length && publishes;
      },
      { what: "the retained values" },
    );
    for (const { topic, payload, retain } of found) {
      const { sent, acknowledged } = this.#values.get(topic) as Value;
      const value = Number(payload.toString());
      expect(retain).toBe(true);
      expect(value, `${topic}: ${acknowledged} was acknowledged`).toBeGreaterThanOrEqual(acknowledged);
      expect(value, `${topic}: ${sent} was sent last`).toBeLessThanOrEqual(sent);
    }
    expect(new Set(found.map(({ topic }) => topic)).size).toBe(topics.length);
    await client.disconnect();
  }

  async #work(topic: string, value: Value): Promise<void> {
    while (!this.#stopped) {
      const next = ++value.sent;
      const qos = next % 2 === 0 ? 1 : 2;
      await this.#client.publish(topic, Buffer.from(String(next)), qos, true, () => {
        value.acknowledged = Math.max(value.acknowledged, next);
      });
    }
  }
}
