import type { Timer } from "@canopy/base";
import { encodeRecord, RecordBatch } from "@canopy/codec";
import type { SessionCounts } from "@canopy/session";
import { matchesFilter } from "@canopy/topic";
import type { Client } from "./client.ts";
import type { Sub } from "./delivery/sub.ts";
import type { Gateway } from "./gateway.ts";
import { LoadAverages } from "./load.ts";

const NOBODY = Buffer.alloc(0);

/**
 * `$SYS/broker/…`, under the names that Mosquitto's users know. The values are kept in memory as
 * retained messages of this gateway: they are about this process, so nothing of them is stored.
 */
export class SystemTopics {
  readonly #gateway: Gateway;
  readonly #interval: number;
  readonly #version: string;
  readonly #values = new Map<string, string>();
  readonly #load: LoadAverages;
  readonly #since: number;
  #timer: Timer | undefined = undefined;
  /** As the sessions said last. */
  #counts: SessionCounts = { sessions: 0, connected: 0, durable: 0, subscriptions: 0 };

  constructor(gateway: Gateway, interval: number, version: string) {
    this.#gateway = gateway;
    this.#interval = interval;
    this.#version = version;
    this.#since = gateway.clock.now();
    this.#load = new LoadAverages(gateway.clock.now());
  }

  start(): void {
    if (this.#interval === 0) return;
    void this.#publish();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The present values, as retained messages for a new subscription. */
  sendTo(client: Client, sub: Sub): void {
    if (!sub.plainFilter.startsWith("$SYS")) return;
    for (const [name, value] of this.#values) {
      if (!matchesFilter(sub.plainFilter, name)) continue;
      const topic = this.#gateway.topics.internString(name);
      if (topic === undefined) continue;
      const record = this.#record(name, value);
      if (record === undefined) continue;
      this.#gateway.writer.begin(record, 0, record.length, false);
      client.outbox.unacknowledged(topic, true, sub.idBytes);
    }
  }

  #arm(): void {
    this.#timer = this.#gateway.timers.set(this.#interval, () => {
      void this.#publish();
      this.#arm();
    });
  }

  #record(name: string, value: string): Buffer | undefined {
    const topic = this.#gateway.topics.internString(name);
    if (topic === undefined) return undefined;
    const acceptedAt = this.#gateway.clock.wall();
    const payload = Buffer.from(value);
    return encodeRecord({ topic, payload, qos: 0, retain: true, clientId: NOBODY, acceptedAt });
  }

  /** Gives what has changed to those who have subscribed to it. */
  async #publish(): Promise<void> {
    await this.#askCounts();
    if (this.#timer === undefined) return;
    const batch = new RecordBatch();
    for (const [name, value] of this.#measure()) {
      const path = `$SYS/broker/${name}`;
      const text = String(value);
      if (this.#values.get(path) === text) continue;
      this.#values.set(path, text);
      const topic = this.#gateway.topics.internString(path);
      const record = this.#record(path, text);
      if (topic !== undefined && record !== undefined) {
        batch.addRecord(record, 0, record.length, topic);
      }
    }
    const indexes = batch.starts.map((_, index) => index);
    const offsets = indexes.map(() => 0);
    const from = { number: 0, shard: 0, epoch: 0, gateway: 0, seq: 0 };
    this.#gateway.push({ ...from, records: batch, indexes, offsets });
  }

  async #askCounts(): Promise<void> {
    try {
      this.#counts = await this.#gateway.sessions.counts();
    } catch (error) {
      this.#gateway.logger.debug({ error }, "the sessions can't be counted now");
    }
  }

  #measure(): Map<string, string | number> {
    const { counters, clock, shards, clients } = this.#gateway;
    const now = clock.now();
    const counts = this.#counts;
    const stored = shards.counts();
    const values = new Map<string, string | number>([
      ["version", `canopy ${this.#version}`],
      ["uptime", `${Math.floor((now - this.#since) / 1000)} seconds`],
      ["timestamp", new Date(clock.wall()).toISOString()],
      ["clients/total", counts.sessions],
      ["clients/connected", counters.connected],
      ["clients/disconnected", Math.max(0, counts.sessions - counts.connected)],
      ["clients/maximum", counters.connectedMaximum],
      ["clients/active", counters.connected],
      ["clients/inactive", Math.max(0, counts.sessions - counts.connected)],
      ["connection/sockets/count", clients.size],
      ["connections/total", counters.connectionsTotal],
      ["subscriptions/count", this.#gateway.targets.size],
      ["subscriptions/durable/count", counts.subscriptions],
      ["retained messages/count", stored.retained],
      ["retained messages/refused", stored.notRetained],
      ["messages/stored", stored.storedMessages],
      ["store/messages/count", stored.queuedMessages],
      ["store/messages/bytes", stored.queuedBytes],
      ["messages/received", counters.packetsReceived],
      ["messages/sent", counters.packetsSent],
      ["publish/messages/received", counters.publishReceived],
      ["publish/messages/sent", counters.publishSent],
      ["publish/messages/dropped", counters.dropped + stored.dropped],
      ["publish/bytes/received", counters.publishBytesReceived],
      ["publish/bytes/sent", counters.publishBytesSent],
      ["bytes/received", counters.bytesReceived],
      ["bytes/sent", counters.bytesSent],
    ]);
    for (const [name, value] of this.#load.update(now, counters)) values.set(name, value);
    return values;
  }
}
