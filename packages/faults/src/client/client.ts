import { setTimeout as pause } from "node:timers/promises";
import { Deferred, type Random } from "@canopy/base";
import type {
  Closed,
  Connack,
  Connect,
  Leaving,
  QoS,
  Reading,
  Received,
  Subscribed,
} from "../history/event.ts";
import type { History } from "../history/history.ts";
import { stamp } from "../workload/topics.ts";
import { Incoming } from "./incoming.ts";
import { type Address, Link, type Packet, type PacketOf } from "./link.ts";
import { type Outcome, Outgoing } from "./outgoing.ts";

export interface Gateway extends Address {
  readonly name: string;
}

export interface Filter {
  readonly filter: string;
  readonly qos: QoS;
}

export interface ClientOptions {
  readonly clientId: string;
  readonly history: History;
  readonly random: Random;
  /** All there are, also those that do not answer. */
  readonly gateways: () => readonly Gateway[];
  /** Where it connects first; then it goes round. */
  readonly first?: number;
  /** Its session outlives its connections. */
  readonly isDurable: boolean;
  /** What a connection leaves unfinished is not sent again. */
  readonly abandons?: boolean;
  /** Subscribed to when a session begins. */
  readonly filters?: readonly Filter[];
  readonly receiveMaximum?: number;
  readonly isLazy?: boolean;
  /** It subscribes to read the retained values; `endReading` says that it has them. */
  readonly isReader?: boolean;
  /** The topic of a will at QoS 2, whose payload names the connection. */
  readonly will?: { readonly topic: string; readonly delay: number };
  /** Before the next connection, ms. */
  readonly rest?: () => number;
  readonly received?: (event: Received) => void;
}

const RETRY = 20;
/** How long it waits for a CONNACK before it goes to the next gateway, ms. */
const CONNECT_PATIENCE = 4000;
/** How long a connection may be silent, though it is pinged, ms. */
const SILENCE = 2000;
const PING_EVERY = 500;
/** Session Expiry Interval, s. */
const HOURS = 36_000;

/**
 * A client of MQTT 5 that keeps its half of a session over any number of connections, goes to the
 * next gateway when its connection breaks or says nothing, and notes all that happens in the history.
 */
export class Client {
  readonly clientId: string;
  readonly #options: ClientOptions;
  readonly #outgoing: Outgoing;
  readonly #incoming: Incoming;
  #turn: number;
  #link: Link | undefined;
  #connection = 0;
  #gateway = "";
  #isOpen = false;
  #isWanted = false;
  #running: Promise<void> | undefined;
  #isSubscribed = false;
  #subscribing: number | undefined;
  #ready = new Deferred();
  #lastHeard = 0;
  #code = -1;
  #endedBy: "client" | "broker" = "broker";

  constructor(options: ClientOptions) {
    const { clientId, history, random, receiveMaximum = 65_535, isLazy = false } = options;
    this.#options = options;
    this.clientId = clientId;
    this.#turn = options.first ?? 0;
    const shared = {
      client: clientId,
      connection: () => this.#connection,
      add: history.add.bind(history),
      send: (packet: Packet) => this.#send(packet),
    };
    this.#outgoing = new Outgoing(shared);
    const received = options.received ?? (() => {});
    this.#incoming = new Incoming({ ...shared, random, receiveMaximum, isLazy, received });
  }

  /** CONNACK has come. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** It is open, and its subscriptions are granted. */
  get isReady(): boolean {
    return this.#isOpen && this.#isSubscribed;
  }

  get connection(): number {
    return this.#connection;
  }

  /** Where it is connected, or tries to. */
  get gateway(): string {
    return this.#gateway;
  }

  /** PUBLISHes and QoS 2 deliveries that are not finished. */
  get unfinished(): number {
    return this.#outgoing.size + this.#incoming.unreleased;
  }

  /** Connects, and again whenever the connection is lost, until it leaves. Settles when ready. */
  stay(): Promise<void> {
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#ready.promise;
  }

  /** DISCONNECT, and does not come back. */
  async leave(code = 0): Promise<void> {
    this.#isWanted = false;
    if (this.#isOpen) {
      this.#incoming.flush();
      this.#endedBy = "client";
      this.#note({ kind: "leaving", code });
      this.#link?.send({ cmd: "disconnect", reasonCode: code });
      this.#isOpen = false;
      this.#link?.end();
    } else {
      this.cut();
    }
    await this.#running;
  }

  /** The connection is reset; it connects again if it is to stay. */
  cut(): void {
    this.#endedBy = "client";
    this.#link?.cut();
  }

  /** The connection is reset; the broker is told nothing. */
  async vanish(): Promise<void> {
    this.#isWanted = false;
    this.cut();
    await this.#running;
  }

  /** Does not connect again when this connection is lost; settles then. */
  async stayAway(): Promise<void> {
    this.#isWanted = false;
    await this.#running;
  }

  /** On the open connection; settles when it has ended, however many connections that takes. */
  publish(topic: string, seq: number, qos: 1 | 2, retain = false): Promise<Outcome> {
    if (!this.#isOpen) throw new Error(`${this.clientId} is not connected`);
    return this.#outgoing.publish(topic, seq, qos, retain);
  }

  /** What this connection was to read has come, or has been waited for long enough. */
  endReading(): void {
    this.#reading("end");
  }

  async #run(): Promise<void> {
    while (this.#isWanted) {
      const gateways = this.#options.gateways();
      const gateway = gateways[this.#turn++ % gateways.length];
      if (gateway !== undefined) await this.#connected(gateway);
      await pause(this.#options.rest?.() ?? RETRY);
    }
  }

  /** One connection, to its end. */
  async #connected(gateway: Gateway): Promise<void> {
    const { history } = this.#options;
    const closed = new Deferred();
    const began = history.now;
    this.#connection = 0;
    this.#gateway = gateway.name;
    this.#code = -1;
    this.#endedBy = "broker";
    this.#lastHeard = began;
    const link = new Link(gateway, {
      opened: () => this.#connect(link, gateway.name),
      packet: (packet) => this.#onPacket(packet),
      malformed: (text) => this.#violation(text),
      closed: () => closed.resolve(),
    });
    this.#link = link;
    const pinging = setInterval(() => this.#watch(link, began), PING_EVERY);
    await closed.promise;
    clearInterval(pinging);
    if (this.#connection !== 0) {
      this.#note({ kind: "closed", by: this.#endedBy, code: this.#code });
    }
    this.#link = undefined;
    this.#isOpen = false;
    this.#subscribing = undefined;
    if (this.#ready.settled) this.#ready = new Deferred();
    const { isDurable, abandons } = this.#options;
    if (!isDurable) this.#isSubscribed = false;
    if (!isDurable || abandons) this.#outgoing.abandon();
  }

  #connect(link: Link, gateway: string): void {
    const { history, isDurable, receiveMaximum, will, clientId } = this.#options;
    this.#connection = history.nextConnection();
    const own = { publisher: clientId, seq: this.#connection };
    this.#note({
      kind: "connect",
      gateway,
      isDurable,
      ...(will && { will: { id: stamp(own).toString(), delay: will.delay } }),
    });
    link.send({
      cmd: "connect",
      clientId,
      protocolId: "MQTT",
      protocolVersion: 5,
      clean: !isDurable,
      keepalive: 0,
      properties: {
        sessionExpiryInterval: isDurable ? HOURS : 0,
        ...(receiveMaximum !== undefined && { receiveMaximum }),
      },
      ...(will !== undefined && {
        will: {
          topic: will.topic,
          payload: stamp(own),
          qos: 2 as const,
          retain: false,
          properties: { willDelayInterval: will.delay },
        },
      }),
    });
  }

  /** Asks whether somebody is there, and gives the connection up if nobody answers. */
  #watch(link: Link, began: number): void {
    const { now } = this.#options.history;
    if (this.#isOpen) link.send({ cmd: "pingreq" });
    const isLate = this.#isOpen ? now - this.#lastHeard > SILENCE : now - began > CONNECT_PATIENCE;
    if (isLate) this.cut();
  }

  #onPacket(packet: Packet): void {
    this.#lastHeard = this.#options.history.now;
    switch (packet.cmd) {
      case "connack":
        this.#onConnack(packet);
        break;
      case "publish":
        this.#incoming.publish(packet);
        break;
      case "pubrel":
        this.#incoming.released(packet.messageId ?? 0);
        break;
      case "puback":
      case "pubrec":
      case "pubcomp":
        this.#outgoing.answered(packet);
        break;
      case "suback":
        this.#onSuback(packet);
        break;
      case "disconnect":
        this.#code = packet.reasonCode ?? 0;
        break;
      case "pingresp":
        break;
      default:
        this.#violation(`an unexpected ${packet.cmd}`);
    }
  }

  #onConnack({ reasonCode: code = 0, sessionPresent: isPresent }: PacketOf<"connack">): void {
    this.#note({ kind: "connack", code, isPresent });
    if (code !== 0) return; // the broker closes; the next gateway is tried
    this.#incoming.begin(isPresent);
    this.#isOpen = true;
    if (!isPresent) this.#isSubscribed = false;
    this.#outgoing.resume();
    const { filters = [] } = this.#options;
    if (this.#isSubscribed || filters.length === 0) {
      this.#isSubscribed = true;
      this.#ready.resolve();
      return;
    }
    if (this.#options.isReader) this.#reading("begin");
    this.#subscribing = this.#outgoing.nextId();
    const subscriptions = filters.map(({ filter, qos }) => ({ topic: filter, qos }));
    this.#send({ cmd: "subscribe", messageId: this.#subscribing, subscriptions });
  }

  #onSuback({ messageId, granted }: PacketOf<"suback">): void {
    if (messageId !== this.#subscribing) this.#violation(`SUBACK of #${messageId}`);
    this.#subscribing = undefined;
    const { filters = [] } = this.#options;
    const isGranted = filters.every(({ qos }, i) => Number(granted[i]) === qos);
    if (!isGranted) {
      // An error that passes, such as a shard that nobody owns: the next connection asks again.
      this.cut();
      return;
    }
    for (const { filter, qos } of filters) this.#note({ kind: "subscribed", filter, qos });
    this.#isSubscribed = true;
    this.#ready.resolve();
  }

  #reading(phase: "begin" | "end"): void {
    for (const { filter } of this.#options.filters ?? []) {
      this.#note({ kind: "reading", phase, filter });
    }
  }

  #note(what: Noted): void {
    const where = { client: this.clientId, connection: this.#connection };
    this.#options.history.add({ ...where, ...what });
  }

  #send(packet: Packet): void {
    if (this.#isOpen) this.#link?.send(packet);
  }

  #violation(text: string): void {
    this.#options.history.add({ kind: "violation", client: this.clientId, text });
  }
}

type Where = "client" | "connection";
type Noted =
  | Omit<Connect, Where>
  | Omit<Connack, Where>
  | Omit<Subscribed, Where>
  | Omit<Reading, Where>
  | Omit<Leaving, Where>
  | Omit<Closed, Where>;
