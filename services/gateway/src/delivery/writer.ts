import type { Clock } from "@canopy/base";
import {
  type PublishForm,
  packetIdOffset,
  publishLength,
  RecordView,
  writePublish,
} from "@canopy/codec";
import type { Topic } from "@canopy/topic";
import type { Client } from "../client.ts";
import { CHUNK } from "../output.ts";

/** version 5 or not × QoS × retain */
const VARIANTS = 12;
/** Most bytes that a Topic Alias adds to a packet, growing lengths included. */
const ALIAS_ROOM = 5;

/**
 * Writes one message to many clients: encoded once for each way in which it may look, then copied,
 * with the packet identifier put in. `begin` names the message, `write` sends it to one client.
 */
export class PublishWriter {
  readonly record: RecordView = new RecordView();
  readonly #clock: Clock;
  readonly #form: PublishForm = {
    version: 5,
    qos: 0,
    retain: false,
    dup: false,
    expiry: -1,
    subscriptionIds: undefined,
    alias: 0,
    omitTopic: false,
  };
  #expiry = -1;
  /** Several clients get this message. */
  #fanOut = false;
  readonly #encoded: (Buffer | undefined)[] = Array.from({ length: VARIANTS });
  readonly #packetIdAt = new Int32Array(VARIANTS);
  #anyEncoded = false;
  /** Small encoded packets of the message at hand, one after the other. */
  readonly #scratch = Buffer.allocUnsafeSlow(CHUNK * VARIANTS);
  #scratchEnd = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes up a message; false if it has expired [MQTT-3.3.2-5]. */
  begin(bytes: Uint8Array, start: number, end: number, fanOut: boolean): boolean {
    const record = this.record.set(bytes, start, end);
    this.#fanOut = fanOut;
    if (this.#anyEncoded) {
      this.#encoded.fill(undefined);
      this.#anyEncoded = false;
      this.#scratchEnd = 0;
    }
    const { expiresAt } = record;
    if (expiresAt === 0) {
      this.#expiry = -1;
      return true;
    }
    // the time spent waiting is taken off [MQTT-3.3.2-6]
    const left = Math.ceil((expiresAt - this.#clock.wall()) / 1000);
    this.#expiry = Math.max(0, left); // one that is sent again says so
    return left > 0;
  }

  /**
   * Sends the message. False if it is larger than the client takes: it counts as finished then,
   * without having been sent [MQTT-3.1.2-25].
   */
  write(
    client: Client,
    topic: Topic,
    qos: 0 | 1 | 2,
    retain: boolean,
    dup: boolean,
    idBytes: Buffer | undefined,
    packetId: number,
  ): boolean {
    const form = this.#form;
    const v5 = client.version === 5;
    form.version = client.version;
    form.qos = qos;
    form.retain = retain;
    form.dup = dup;
    form.expiry = v5 ? this.#expiry : -1;
    form.subscriptionIds = v5 ? idBytes : undefined;
    form.alias = 0;
    form.omitTopic = false;
    const size = publishLength(this.record, form);
    if (size > client.maximumPacketSize) return false;
    client.published(size);
    if (v5 && client.aliasing) this.#alias(client, topic, size);
    else if (this.#fanOut && !dup && form.subscriptionIds === undefined) {
      this.#copy(client, size, packetId);
      return true;
    }
    this.#single(client, form.alias === 0 ? size : publishLength(this.record, form), packetId);
    return true;
  }

  #alias(client: Client, topic: Topic, size: number): void {
    // a new alias makes the packet longer, which may be too long then [MQTT-3.1.2-24]
    if (size + ALIAS_ROOM > client.maximumPacketSize) return;
    const alias = client.connection.aliases.use(topic.name);
    this.#form.alias = Math.abs(alias);
    this.#form.omitTopic = alias > 0;
  }

  #single(client: Client, size: number, packetId: number): void {
    const { output } = client;
    if (size > CHUNK) {
      const bytes = Buffer.allocUnsafeSlow(size);
      writePublish(bytes, 0, this.record, this.#form, packetId);
      output.append(bytes);
      return;
    }
    const out = output.reserve(size);
    output.at = writePublish(out, output.at, this.record, this.#form, packetId);
  }

  #copy(client: Client, size: number, packetId: number): void {
    const { output } = client;
    const form = this.#form;
    const variant = (form.version === 5 ? 6 : 0) + form.qos * 2 + (form.retain ? 1 : 0);
    const encoded = this.#encoded[variant] ?? this.#encode(variant, size);
    if (size > CHUNK) {
      this.#large(client, encoded, this.#packetIdAt[variant] as number, packetId);
      return;
    }
    const out = output.reserve(size);
    const at = output.at;
    encoded.copy(out, at);
    if (form.qos !== 0) out.writeUInt16BE(packetId, at + (this.#packetIdAt[variant] as number));
    output.at = at + size;
  }

  #encode(variant: number, size: number): Buffer {
    const large = size > CHUNK;
    const start = large ? 0 : this.#scratchEnd;
    const out = large ? Buffer.allocUnsafeSlow(size) : this.#scratch;
    const end = writePublish(out, start, this.record, this.#form, 0);
    const encoded = large ? out : out.subarray(start, end);
    if (!large) this.#scratchEnd = end;
    this.#encoded[variant] = encoded;
    this.#packetIdAt[variant] = packetIdOffset(this.record, this.#form);
    this.#anyEncoded = true;
    return encoded;
  }

  /** A large packet is in memory once for all clients: only its head is written for each. */
  #large(client: Client, encoded: Buffer, packetIdAt: number, packetId: number): void {
    const { output } = client;
    if (packetIdAt < 0) {
      output.append(encoded);
      return;
    }
    const head = Buffer.from(encoded.subarray(0, packetIdAt + 2));
    head.writeUInt16BE(packetId, packetIdAt);
    output.appendBoth(head, encoded.subarray(packetIdAt + 2));
  }
}
