import { waitFor } from "@canopy/testkit";
import { SessionClient, type SessionClientOptions } from "./session-client.ts";

type Base = Pick<SessionClientOptions, "address" | "history" | "random" | "scope">;

/** Long after every run. */
const NEVER = 100_000;

/**
 * Clients with wills, around crashes of the broker: whose connection is lost leaves its will once,
 * after its delay; who comes back in time or says goodbye leaves none; and who leaves a session with
 * a short expiry finds none afterwards.
 */
export class Wills {
  readonly #base: Base;
  readonly #fired: string[] = [];
  readonly #due: string[] = [];
  readonly #returning: SessionClient[] = [];
  readonly #expiring: SessionClient[] = [];
  #watcher: SessionClient | undefined;

  constructor(base: Base) {
    this.#base = base;
  }

  /** A durable session to which the wills are delivered once. */
  async watch(): Promise<void> {
    this.#watcher = new SessionClient({
      ...this.#base,
      clientId: "watcher",
      isLazy: true,
      received: ({ payload }) => this.#fired.push(payload.toString()),
    });
    await this.#watcher.stay();
    await this.#watcher.subscribe([{ filter: "w/#", qos: 2 }]);
  }

  /** New clients for the coming crash. */
  async begin(round: number): Promise<void> {
    for (const delay of [0, 1]) {
      const lost = await this.#connected(`lost-${delay}-${round}`, delay, 3600);
      await lost.vanish();
      this.#due.push(lost.clientId);
      await this.#crashed(`crashed-${delay}-${round}`, delay);
    }
    // its will comes when the session ends, before the delay is over [MQTT-3.1.3-9]
    const expiring = await this.#connected(`expiring-${round}`, NEVER, 1);
    await expiring.vanish();
    this.#due.push(expiring.clientId);
    this.#expiring.push(expiring);
    this.#returning.push(await this.#connected(`returning-${round}`, NEVER, 3600));
    await this.#polite(`polite-${round}`);
  }

  /** Waits for what is due; what came, what was due, and which sessions outlived their expiry. */
  async settle(): Promise<{ fired: string[]; due: string[]; outlived: string[] }> {
    await waitFor(() => this.#missing().length === 0, {
      timeout: 60_000,
      what: () => `the wills of ${this.#missing().join()}`,
    });
    for (const client of this.#returning) {
      await client.stay();
      await client.leave();
    }
    const outlived: string[] = [];
    for (const { clientId } of this.#expiring) {
      if (await this.#isThere(clientId)) outlived.push(clientId);
    }
    return { fired: [...this.#fired].sort(), due: [...this.#due].sort(), outlived };
  }

  #missing(): string[] {
    return this.#due.filter((name) => !this.#fired.includes(name));
  }

  async #connected(clientId: string, delay: number, expiry: number): Promise<SessionClient> {
    const will = { topic: `w/${clientId}`, payload: clientId, qos: 2, delay } as const;
    const client = new SessionClient({ ...this.#base, clientId, expiry, will });
    await client.stay();
    return client;
  }

  /** It is connected when the broker is killed, and does not come back. */
  async #crashed(clientId: string, delay: number): Promise<void> {
    const client = await this.#connected(clientId, delay, 3600);
    this.#due.push(clientId);
    client.stayAway();
  }

  /** A DISCONNECT has no answer; but whoever has the session after it knows that it was heard. */
  async #polite(clientId: string): Promise<void> {
    const client = await this.#connected(clientId, 0, 3600);
    await client.leave();
    const later = new SessionClient({ ...this.#base, clientId });
    await later.stay();
    await later.vanish();
  }

  async #isThere(clientId: string): Promise<boolean> {
    const client = new SessionClient({ ...this.#base, clientId });
    await client.stay();
    await client.leave();
    return client.sessionPresent;
  }
}
