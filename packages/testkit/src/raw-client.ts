import type {
  IConnectPacket,
  IPublishPacket,
  ISubscribePacket,
  ISubscription,
  IUnsubscribePacket,
} from "mqtt-packet";
import {
  type Fields,
  type Packet,
  PacketClient,
  type PacketOf,
  type RawClientOptions,
} from "./packet-client.ts";
import type { Scope } from "./scope.ts";
import type { Address } from "./transport.ts";

export type ConnectFields = Partial<Omit<IConnectPacket, "cmd" | "password">> & {
  readonly password?: Uint8Array | string;
};
export type PublishFields = Partial<Omit<IPublishPacket, "cmd" | "topic" | "payload">>;
export type SubscribeFields = Partial<ISubscription> & Pick<ISubscribePacket, "properties">;

/**
 * An MQTT client that does only what a test tells it: it pings never by itself, acknowledges
 * nothing unless `acknowledge` is set, and can send what no client may. Packets that arrive wait in
 * line until a test takes them, so nothing is missed, and nothing goes unseen by `expect`.
 */
export class RawClient extends PacketClient {
  #acknowledge = false;
  /** Came while nothing was acknowledged. */
  readonly #unanswered = new Set<Packet>();
  #lastMessageId = 0;

  /**
   * Answer PUBLISH and PUBREL, as most clients do. They still wait in line. Set to true, it answers
   * what waits already too: a packet may have come together with the one before it.
   */
  get acknowledge(): boolean {
    return this.#acknowledge;
  }

  set acknowledge(on: boolean) {
    this.#acknowledge = on;
    if (!on) return;
    for (const packet of this.waiting) if (this.#unanswered.has(packet)) this.#answer(packet);
    this.#unanswered.clear();
  }

  /** Opens the network connection; no CONNECT is sent. */
  static open(address: Address, options: RawClientOptions = {}, scope?: Scope): Promise<RawClient> {
    return new RawClient(options).open(address, scope);
  }

  /** Opens and connects; the CONNACK must be a success. */
  static async connected(
    address: Address,
    fields: ConnectFields & RawClientOptions = {},
    scope?: Scope,
  ): Promise<RawClient> {
    const { version, timeout, ...connect } = fields;
    const options = { ...(version && { version }), ...(timeout && { timeout }) };
    const client = await RawClient.open(address, options, scope);
    await client.connect(connect);
    return client;
  }

  /** Packet identifiers from 1 up. */
  nextMessageId(): number {
    this.#lastMessageId = (this.#lastMessageId % 65_535) + 1;
    return this.#lastMessageId;
  }

  sendConnect(fields: ConnectFields = {}): void {
    const { password, ...rest } = fields;
    this.send({
      cmd: "connect",
      // [MQTT-3.1.3-6] allows an empty one; MQTT 3.1 does not.
      clientId: this.version === 3 ? "raw-client" : "",
      protocolId: this.version === 3 ? "MQIsdp" : "MQTT",
      protocolVersion: this.version,
      clean: true,
      keepalive: 0,
      ...rest,
      ...(password !== undefined && { password: Buffer.from(password) }),
    });
  }

  /** CONNECT and its CONNACK, by default a success. Without keep alive unless it is given. */
  connect(fields: ConnectFields = {}, expected: Fields = {}): Promise<PacketOf<"connack">> {
    this.sendConnect(fields);
    const success = this.version === 5 ? { reasonCode: 0 } : { returnCode: 0 };
    return this.expect("connack", { ...success, ...expected });
  }

  /** SUBSCRIBE to one or several filters; takes the SUBACK, which must grant what was asked for. */
  subscribe(
    filters: string | readonly ISubscription[],
    fields: SubscribeFields = {},
    granted?: readonly number[],
  ): Promise<PacketOf<"suback">> {
    const { properties, qos = 0, ...options } = fields;
    const subscriptions =
      typeof filters === "string" ? [{ topic: filters, qos, ...options }] : [...filters];
    const messageId = this.nextMessageId();
    this.send({ cmd: "subscribe", messageId, subscriptions, ...(properties && { properties }) });
    const asked = subscriptions.map((subscription) => subscription.qos);
    return this.find("suback", { messageId, granted: granted ?? asked });
  }

  unsubscribe(
    filters: string | readonly string[],
    properties?: IUnsubscribePacket["properties"],
  ): Promise<PacketOf<"unsuback">> {
    const messageId = this.nextMessageId();
    const unsubscriptions = typeof filters === "string" ? [filters] : [...filters];
    this.send({
      cmd: "unsubscribe",
      messageId,
      unsubscriptions,
      ...(properties && { properties }),
    });
    return this.find("unsuback", { messageId });
  }

  /** PUBLISH without waiting for an answer; returns the packet identifier. */
  sendPublish(topic: string, payload: string | Uint8Array, fields: PublishFields = {}): number {
    const { qos = 0, messageId = qos > 0 ? this.nextMessageId() : 0, ...rest } = fields;
    const id = qos > 0 ? { messageId } : {};
    const body = typeof payload === "string" ? payload : Buffer.from(payload);
    const defaults = { dup: false, retain: false };
    this.send({ cmd: "publish", topic, payload: body, qos, ...defaults, ...id, ...rest });
    return messageId;
  }

  /**
   * PUBLISH and its acknowledgements to the end: resolves with PUBACK at QoS 1 and PUBREC at QoS 2
   * (after PUBCOMP, unless it is an error), at QoS 0 at once with nothing.
   */
  async publish(
    topic: string,
    payload: string | Uint8Array,
    fields: PublishFields = {},
  ): Promise<PacketOf<"puback"> | PacketOf<"pubrec"> | undefined> {
    const messageId = this.sendPublish(topic, payload, fields);
    if (fields.qos === 1) return this.find("puback", { messageId });
    if (fields.qos !== 2) return undefined;
    const pubrec = await this.find("pubrec", { messageId });
    if ((pubrec.reasonCode ?? 0) >= 0x80) return pubrec;
    this.send({ cmd: "pubrel", messageId });
    await this.find("pubcomp", { messageId });
    return pubrec;
  }

  /** DISCONNECT, and the close by the broker that follows it. */
  async disconnect(fields: Partial<PacketOf<"disconnect">> = {}): Promise<void> {
    this.send({ cmd: "disconnect", ...fields });
    await this.closed;
  }

  protected override arrived(packet: Packet): void {
    super.arrived(packet);
    if (this.#acknowledge) this.#answer(packet);
    else if (packet.cmd === "publish" || packet.cmd === "pubrel") this.#unanswered.add(packet);
  }

  #answer(packet: Packet): void {
    const { messageId = 0 } = packet;
    if (packet.cmd === "publish" && packet.qos === 1) this.send({ cmd: "puback", messageId });
    if (packet.cmd === "publish" && packet.qos === 2) this.send({ cmd: "pubrec", messageId });
    if (packet.cmd === "pubrel") this.send({ cmd: "pubcomp", messageId });
  }
}
