import type { Random } from "@canopy/base";
import {
  generate,
  type IConnectPacket,
  type IPublishPacket,
  type ISubscription,
  type Packet,
  type Parser,
  parser,
} from "mqtt-packet";
import type { MemoryTransport } from "./memory-transport.ts";
import type { World } from "./world.ts";

type Command = Packet["cmd"];
type Of<C extends Command> = Extract<Packet, { readonly cmd: C }>;

export interface ClientOptions {
  readonly clientId: string;
  readonly version?: 4 | 5;
  /** Cuts what is sent into pieces. */
  readonly random?: Random;
}

/** An MQTT client over a {@link MemoryTransport}, by the bytes of mqtt-packet. */
export class TestClient {
  readonly clientId: string;
  readonly version: 4 | 5;
  readonly #world: World;
  readonly #random: Random | undefined;
  #transport: MemoryTransport | undefined;
  #nextId = 1;
  /** What has come and was not taken. */
  readonly packets: Packet[] = [];
  /** Acknowledges by itself. */
  acknowledge = true;
  isClosed = true;
  /** Sees each packet first; true keeps it from `packets` and from being acknowledged. */
  onPacket: (packet: Packet) => boolean = () => false;

  constructor(world: World, options: ClientOptions | string) {
    const {
      clientId,
      version = 5,
      random,
    } = typeof options === "string" ? { clientId: options } : options;
    this.clientId = clientId;
    this.version = version;
    this.#random = random;
    this.#world = world;
  }

  get transport(): MemoryTransport {
    if (this.#transport === undefined) throw new Error("not connected");
    return this.#transport;
  }

  /** Opens a new connection and sends CONNECT; an older one is left as it is, but not heard. */
  open(fields: Partial<IConnectPacket> = {}): void {
    const reader: Parser = parser({ protocolVersion: this.version });
    const isPresent = (): boolean => this.#transport === transport;
    const transport = this.#world.open(
      {
        data: (bytes) => {
          if (isPresent()) reader.parse(bytes);
        },
        closed: () => {
          if (isPresent()) this.isClosed = true;
        },
      },
      this.#random,
    );
    reader.on("packet", (packet) => {
      if (isPresent()) this.#arrived(packet);
    });
    reader.on("error", (error: Error) => {
      throw error;
    });
    this.#transport = transport;
    this.isClosed = false;
    this.send({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: this.version,
      clientId: this.clientId,
      clean: true,
      keepalive: 0,
      ...fields,
    });
  }

  /** Connects; the CONNACK is a success. */
  async connect(fields: Partial<IConnectPacket> = {}): Promise<Of<"connack">> {
    this.open(fields);
    await this.#world.settle();
    const connack = this.take("connack");
    const code = this.version === 5 ? connack.reasonCode : connack.returnCode;
    if (code !== 0) throw new Error(`CONNACK ${code}`);
    return connack;
  }

  /** A durable session, made or resumed. */
  resume(fields: Partial<IConnectPacket> = {}): Promise<Of<"connack">> {
    const properties = { sessionExpiryInterval: 0xff_ff_ff_ff, ...fields.properties };
    return this.connect({ clean: false, ...fields, ...(this.version === 5 && { properties }) });
  }

  send(packet: Packet): void {
    this.sendBytes(generate(packet, { protocolVersion: this.version }));
  }

  sendBytes(bytes: Buffer): void {
    this.transport.send(bytes);
  }

  nextId(): number {
    const id = this.#nextId;
    this.#nextId = (id % 65_535) + 1;
    return id;
  }

  /** Subscribes; returns the reason codes. */
  async subscribe(
    topic: string,
    options: Partial<ISubscription> & { readonly id?: number } = {},
  ): Promise<readonly unknown[]> {
    const { id, ...rest } = options;
    const subscriptions = [{ topic, qos: 0 as const, ...rest }];
    this.send({
      cmd: "subscribe",
      messageId: this.nextId(),
      subscriptions,
      ...(id !== undefined && { properties: { subscriptionIdentifier: id } }),
    });
    await this.#world.settle();
    return this.take("suback").granted;
  }

  async unsubscribe(topic: string): Promise<void> {
    this.send({ cmd: "unsubscribe", messageId: this.nextId(), unsubscriptions: [topic] });
    await this.#world.settle();
    this.take("unsuback");
  }

  /** Sends a PUBLISH; returns its packet identifier. */
  publish(topic: string, payload: string | Buffer, fields: Partial<IPublishPacket> = {}): number {
    const messageId = (fields.qos ?? 0) > 0 ? this.nextId() : 0;
    this.send({
      cmd: "publish",
      topic,
      payload,
      qos: 0,
      dup: false,
      retain: false,
      ...(messageId > 0 && { messageId }),
      ...fields,
    });
    return messageId;
  }

  /** Takes the first packet of this kind. */
  take<C extends Command>(command: C): Of<C> {
    const at = this.packets.findIndex((packet) => packet.cmd === command);
    if (at < 0) {
      const seen = this.packets.map((packet) => packet.cmd).join(" ");
      throw new Error(`no ${command} among: ${seen}${this.isClosed ? " (closed)" : ""}`);
    }
    return this.packets.splice(at, 1)[0] as Of<C>;
  }

  /** Takes all packets of this kind. */
  takeAll<C extends Command>(command: C): Of<C>[] {
    const found = this.packets.filter((packet) => packet.cmd === command);
    const others = this.packets.filter((packet) => packet.cmd !== command);
    this.packets.splice(0, this.packets.length, ...others);
    return found as Of<C>[];
  }

  /** Takes all PUBLISHes; their payloads. */
  payloads(): string[] {
    return this.takeAll("publish").map(({ payload }) => payload.toString());
  }

  #arrived(packet: Packet): void {
    if (this.onPacket(packet)) return;
    this.packets.push(packet);
    if (!this.acknowledge || this.isClosed) return;
    if (packet.cmd === "publish" && packet.qos > 0) {
      this.send({ cmd: packet.qos === 1 ? "puback" : "pubrec", messageId: packet.messageId ?? 0 });
    } else if (packet.cmd === "pubrel") {
      this.send({ cmd: "pubcomp", messageId: packet.messageId ?? 0 });
    } else if (packet.cmd === "pubrec" && (packet.reasonCode ?? 0) < 0x80) {
      this.send({ cmd: "pubrel", messageId: packet.messageId ?? 0 });
    }
  }
}

/** A client with a session that ends with its connection. */
export async function connect(
  world: World,
  clientId: string,
  version: 4 | 5 = 5,
): Promise<TestClient> {
  const client = new TestClient(world, { clientId, version });
  await client.connect();
  return client;
}

/** A client with a session that lasts. */
export async function resume(world: World, clientId: string): Promise<TestClient> {
  const client = new TestClient(world, clientId);
  await client.resume();
  return client;
}
