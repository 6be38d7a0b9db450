import type { RawClient } from "@canopy/testkit";
import { waitFor } from "@canopy/testkit";
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

  /**
   * Whoever subscribes now gets the last acknowledged value of each topic, or one that was sent
   * later. What is wrong with what this client got, in words.
   */
  async problems(client: RawClient): Promise<string[]> {
    await client.subscribe("r/#", { qos: 1 });
    const found = await waitFor(
      () => {
        const publishes = client.waiting.filter((packet) => packet.cmd === "publish");
        return publishes.length >= topics.length && publishes;
      },
      { what: "the retained values" },
    );
    await client.disconnect();
    const problems: string[] = [];
    for (const [topic, { sent, acknowledged }] of this.#values) {
      const values = found.filter((packet) => packet.topic === topic);
      const value = Number(values[0]?.payload);
      const isRight = value >= acknowledged && value <= sent && values[0]?.retain === true;
      if (values.length === 1 && isRight) continue;
      problems.push(`${values.length} × ${topic}: ${value} of ${acknowledged} to ${sent}`);
    }
    return problems;
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
