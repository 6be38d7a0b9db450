import { waitFor } from "@canopy/testkit";
import { SessionClient, type SessionClientOptions } from "./session-client.ts";

type Base = Pick<SessionClientOptions, "address" | "history" | "random" | "scope">;

/**
 * A durable session whose subscriptions change right before a crash: from SUBACK on it gets what is
 * acknowledged, from UNSUBACK on it gets nothing of that filter.
 */
export class Changes {
  readonly #subscriber: SessionClient;
  readonly #publisher: SessionClient;
  readonly #received: string[] = [];
  readonly #due: string[] = [];

  private constructor(base: Base) {
    const received: SessionClientOptions["received"] = ({ payload }) =>
      this.#received.push(payload.toString());
    this.#subscriber = new SessionClient({ ...base, clientId: "changing", isLazy: true, received });
    this.#publisher = new SessionClient({ ...base, clientId: "announcer" });
  }

  static async open(base: Base): Promise<Changes> {
    const changes = new Changes(base);
    await changes.#subscriber.stay();
    await changes.#publisher.stay();
    return changes;
  }

  async change(round: number): Promise<void> {
    // what is in flight of an ended subscription is still delivered [MQTT-3.10.4-3]
    if (round > 1) await this.#subscriber.unsubscribe(`c/${round - 1}/#`);
    if (round > 1) this.#publish(`c/${round - 1}/too-late`, `too late ${round - 1}`, false);
    await this.#subscriber.subscribe([{ filter: `c/${round}/#`, qos: 2 }]);
    for (let i = 0; i < 20; i++) this.#publish(`c/${round}/${i % 3}`, `${round}: ${i}`, true);
  }

  /** Waits for what is due; what came and what was due. */
  async settle(): Promise<{ received: string[]; due: string[] }> {
    this.#subscriber.isLazy = false;
    await waitFor(() => this.#publisher.outstanding === 0, { timeout: 60_000 });
    const missing = () => this.#due.filter((payload) => !this.#received.includes(payload));
    await waitFor(() => missing().length === 0, { timeout: 60_000, what: () => missing().join() });
    return { received: [...this.#received].sort(), due: [...this.#due].sort() };
  }

  #publish(topic: string, payload: string, isDue: boolean): void {
    if (isDue) this.#due.push(payload);
    void this.#publisher.publish(topic, Buffer.from(payload), 2, false, () => {});
  }
}
