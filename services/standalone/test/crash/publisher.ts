import type { Ledger, Scope } from "@canopy/testkit";
import { mqttJs } from "@canopy/testkit";
import type { History } from "./history.ts";
import type { SessionClient } from "./session-client.ts";

/** What publishes, by whichever client library; settles when the broker has finished with it. */
export interface Sender {
  readonly name: string;
  readonly isOpen: boolean;
  publish(
    topic: string,
    payload: Buffer,
    qos: 0 | 1 | 2,
    retain: boolean,
    acknowledged: () => void,
  ): Promise<void>;
}

export function rawSender(client: SessionClient): Sender {
  return {
    name: client.clientId,
    get isOpen() {
      return client.isOpen;
    },
    publish: (...args) => client.publish(...args),
  };
}

/** MQTT.js with a durable session, which resumes by itself. */
export async function mqttJsSender(
  url: string,
  clientId: string,
  version: 4 | 5,
  history: History,
  scope: Scope,
): Promise<Sender> {
  const client = await mqttJs(
    url,
    {
      clientId,
      clean: false,
      protocolVersion: version,
      reconnectPeriod: 20,
      ...(version === 5 && { properties: { sessionExpiryInterval: 3600 } }),
    },
    scope,
  );
  client.on("error", () => {});
  client.on("connect", ({ sessionPresent }) => {
    history.note(clientId, `connack session ${sessionPresent}`);
    if (!sessionPresent) history.violation(clientId, "the session is gone");
  });
  client.on("close", () => history.note(clientId, "closed"));
  return {
    name: clientId,
    get isOpen() {
      return client.connected;
    },
    async publish(topic, payload, qos, retain, acknowledged) {
      history.note(clientId, `> ${payload.toString("utf8", 0, 60)}`);
      try {
        await client.publishAsync(topic, payload, { qos, retain });
      } catch (error) {
        // what it was given while it sent its store again, it gives back when the connection closes
        history.note(clientId, `given back ${payload.toString("utf8", 0, 60)}: ${String(error)}`);
        if (!/closed/.test(String(error))) history.violation(clientId, String(error));
        return;
      }
      history.note(clientId, `acknowledged ${payload.toString("utf8", 0, 60)}`);
      if (qos > 0) acknowledged();
    },
  };
}

/** A topic at one QoS: the unit in which order is promised [MQTT-4.6.0-5]. */
export interface Lane {
  /** In the ledger. */
  readonly name: string;
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

/** Publishes on its lanes in turn, with a few messages in flight, until it is told to stop. */
export class Publisher {
  readonly sender: Sender;
  readonly lanes: readonly Lane[];
  readonly #ledger: Ledger;
  readonly #onAcknowledged: () => void;
  #stopped = false;
  #running: Promise<void>[] = [];

  constructor(sender: Sender, lanes: readonly Lane[], ledger: Ledger, onAcknowledged: () => void) {
    this.sender = sender;
    this.lanes = lanes;
    this.#ledger = ledger;
    this.#onAcknowledged = onAcknowledged;
  }

  start(): void {
    this.#stopped = false;
    this.#running = this.lanes
      .filter(({ qos }) => qos > 0)
      .flatMap((lane) => Array.from({ length: 4 }, () => this.#work(lane)));
  }

  /** Settles when all that was begun is acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #work(lane: Lane): Promise<void> {
    while (!this.#stopped) {
      await this.one(lane);
      const zero = this.lanes.find(({ qos }) => qos === 0);
      if (zero !== undefined && this.sender.isOpen) await this.one(zero);
    }
  }

  /** One message, to its end. */
  async one({ name, topic, qos }: Lane): Promise<void> {
    const payload = this.#ledger.publish(name, 40);
    await this.sender.publish(topic, payload, qos, false, () => {
      this.#ledger.acknowledge(payload);
      this.#onAcknowledged();
    });
  }
}
