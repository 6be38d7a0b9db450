import { setTimeout as pause } from "node:timers/promises";
import { Deferred, pick, type Random, randomBool, randomInt } from "@canopy/base";
import { type Packet, PacketClient, type PacketOf, type Scope } from "@canopy/testkit";
import type { History } from "./history.ts";

export interface Arrival {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly dup: boolean;
}

export interface Will {
  readonly topic: string;
  readonly payload: string;
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  /** Seconds. */
  readonly delay?: number;
}

export interface SessionClientOptions {
  readonly clientId: string;
  readonly address: () => { readonly host: string; readonly port: number };
  readonly history: History;
  readonly random: Random;
  readonly scope: Scope;
  readonly version?: 4 | 5;
  /** Session Expiry Interval, seconds. */
  readonly expiry?: number;
  readonly receiveMaximum?: number;
  readonly will?: Will;
  readonly isLazy?: boolean;
  readonly received?: (message: Arrival) => void;
}

/** A PUBLISH of this client that is not finished. */
interface Outgoing {
  readonly packetId: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  isReleased: boolean;
  /** Its PUBREL was sent again: the broker may have forgotten it by then. */
  isResumed: boolean;
  /** The broker took responsibility for it; called once. */
  readonly acknowledged: Deferred;
  readonly finished: Deferred;
}

/** Packet Identifier not found: during recovery it is no error (section 3.7.2.1). */
const notFound = 0x92;
/** Between two attempts to connect. */
const RETRY = 20;

class Link extends PacketClient {
  onPacket: (packet: Packet) => void = () => {};

  protected override arrived(packet: Packet): void {
    this.onPacket(packet);
  }
}

/**
 * A client with a durable session that keeps its half of it as section 4.1 wants: over any number of
 * connections it resumes what is unfinished, and it notes what the broker does wrong.
 */
export class SessionClient {
  readonly clientId: string;
  readonly #options: SessionClientOptions;
  #link: Link | undefined;
  #isOpen = false;
  #wanted = false;
  #running: Promise<void> | undefined;
  #hasSession = false;
  #opened = new Deferred();
  #abandon = new Deferred();
  #lastId = 0;
  readonly #outgoing = new Map<number, Outgoing>();
  /** Payloads of QoS 2 messages whose PUBREL has not come. */
  readonly #incoming = new Map<number, string>();
  /** Of QoS 1 and 2, on this connection. */
  readonly #unacknowledged = new Set<number>();
  readonly #subscribing = new Map<number, { filters: string; answer: Deferred }>();
  #late: Packet[] = [];
  /** DUP and PUBREL that resumed what an earlier connection left. */
  resumed = 0;
  connections = 0;
  /** Whether the last CONNACK said so. */
  sessionPresent = false;
  /** Acknowledges late and in bunches, so that a crash finds unfinished windows. */
  isLazy: boolean;
  /** Of the last DISCONNECT that came; undefined if the connection just ended. */
  disconnected: number | undefined;

  constructor(options: SessionClientOptions) {
    this.#options = options;
    this.clientId = options.clientId;
    this.isLazy = options.isLazy ?? false;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** PUBLISHes in flight to the broker. */
  get outstanding(): number {
    return this.#outgoing.size;
  }

  /** QoS 2 deliveries whose PUBREL is owed. */
  get unreleased(): number {
    return this.#incoming.size;
  }

  /** Connects, and again whenever the connection is lost, until `leave` or `vanish`. */
  async stay(): Promise<void> {
    this.#wanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    await this.#opened.promise;
  }

  /** DISCONNECT. */
  async leave(): Promise<void> {
    this.#wanted = false;
    if (this.#isOpen) {
      this.#flushLate();
      this.#send({ cmd: "disconnect" });
    } else {
      this.#link?.transport.destroy();
    }
    await this.#running;
  }

  /** The connection is reset; it connects again. */
  cut(): void {
    this.#link?.transport.destroy();
  }

  /** Connects again, and leaves it to the broker to end the connection that it has [MQTT-3.1.4-3]. */
  takeOver(): void {
    this.#abandon.resolve();
  }

  /** Does not connect again when this connection is lost. */
  stayAway(): void {
    this.#wanted = false;
  }

  /** The connection is cut; the broker is told nothing. */
  async vanish(): Promise<void> {
    this.#wanted = false;
    this.#link?.transport.destroy();
    await this.#running;
  }

  /** Settles when the broker has granted every filter, however many connections that takes. */
  async subscribe(filters: readonly { filter: string; qos: 0 | 1 | 2 }[]): Promise<void> {
    for (;;) {
      await this.#opened.promise;
      const messageId = this.#nextId();
      const answer = new Deferred();
      this.#subscribing.set(messageId, { filters: filters.map((f) => f.qos).join(), answer });
      const subscriptions = filters.map(({ filter, qos }) => ({ topic: filter, qos }));
      this.#send({ cmd: "subscribe", messageId, subscriptions });
      const isGranted = await answer.promise.then(
        () => true,
        () => false,
      );
      if (isGranted) return;
    }
  }

  /** Settles when the broker has answered, however many connections that takes. */
  async unsubscribe(filter: string): Promise<void> {
    for (;;) {
      await this.#opened.promise;
      const messageId = this.#nextId();
      const answer = new Deferred();
      this.#subscribing.set(messageId, { filters: "", answer });
      this.#send({ cmd: "unsubscribe", messageId, unsubscriptions: [filter] });
      const isAnswered = await answer.promise.then(
        () => true,
        () => false,
      );
      if (isAnswered) return;
    }
  }

  /** `acknowledged` is called when the broker has taken responsibility (PUBACK, PUBREC). */
  publish(
    topic: string,
    payload: Buffer,
    qos: 0 | 1 | 2,
    retain: boolean,
    acknowledged: () => void,
  ): Promise<void> {
    if (qos === 0) {
      this.#options.history.note(this.clientId, `> ${payload.toString()}`);
      this.#send({ cmd: "publish", topic, payload, qos, retain, dup: false });
      return Promise.resolve();
    }
    const entry: Outgoing = {
      packetId: this.#nextId(),
      topic,
      payload,
      qos,
      retain,
      isReleased: false,
      isResumed: false,
      acknowledged: new Deferred(),
      finished: new Deferred(),
    };
    void entry.acknowledged.promise.then(acknowledged);
    this.#outgoing.set(entry.packetId, entry);
    if (this.#isOpen) this.#sendPublish(entry, false);
    return entry.finished.promise;
  }

  // --- the connection ---------------------------------------------------------------------------

  async #run(): Promise<void> {
    while (this.#wanted) {
      const link = new Link({ version: this.#options.version ?? 5, timeout: 60_000 });
      link.onPacket = (packet) => this.#onPacket(link, packet);
      try {
        await link.open(this.#options.address(), this.#options.scope);
      } catch {
        await pause(RETRY);
        continue;
      }
      if (!this.#wanted) {
        link.transport.destroy();
        return;
      }
      this.#link = link;
      this.#unacknowledged.clear();
      this.#late = [];
      this.#connect(link);
      this.#abandon = new Deferred();
      await Promise.race([link.closed, this.#abandon.promise]);
      if (this.#isOpen) this.#opened = new Deferred();
      this.#isOpen = false;
      this.#link = undefined;
      for (const { answer } of this.#subscribing.values()) answer.reject(new Error("lost"));
      this.#subscribing.clear();
      this.#options.history.note(this.clientId, "closed");
    }
  }

  #connect(link: Link): void {
    const { version = 5, expiry = 3600, receiveMaximum, will } = this.#options;
    const delay = will?.delay === undefined ? {} : { willDelayInterval: will.delay };
    link.send({
      cmd: "connect",
      clientId: this.clientId,
      protocolId: "MQTT",
      protocolVersion: version,
      clean: false,
      keepalive: 0,
      ...(version === 5 && {
        properties: {
          sessionExpiryInterval: expiry,
          ...(receiveMaximum !== undefined && { receiveMaximum }),
        },
      }),
      ...(will !== undefined && {
        will: {
          topic: will.topic,
          payload: Buffer.from(will.payload),
          qos: will.qos ?? 1,
          retain: will.retain ?? false,
          ...(version === 5 && { properties: delay }),
        },
      }),
    });
  }

  #onPacket(link: Link, packet: Packet): void {
    if (link !== this.#link) return;
    switch (packet.cmd) {
      case "connack":
        this.#onConnack(packet);
        break;
      case "publish":
        this.#onPublish(packet);
        break;
      case "pubrel":
        this.#onPubrel(packet.messageId ?? 0);
        break;
      case "puback":
      case "pubrec":
      case "pubcomp":
        this.#onAnswer(packet);
        break;
      case "suback":
        this.#onSuback(packet);
        break;
      case "unsuback":
        this.#subscribing.get(packet.messageId ?? 0)?.answer.resolve();
        this.#subscribing.delete(packet.messageId ?? 0);
        break;
      case "disconnect":
        this.disconnected = packet.reasonCode;
        this.#options.history.note(this.clientId, `< disconnect ${packet.reasonCode}`);
        break;
      default:
        this.#violation(`an unexpected ${packet.cmd}`);
    }
  }

  #onConnack(packet: PacketOf<"connack">): void {
    const { sessionPresent } = packet;
    const code = packet.reasonCode ?? packet.returnCode ?? 0;
    this.#options.history.note(this.clientId, `connack ${code} session ${sessionPresent}`);
    if (code !== 0) return; // the broker closes; it is tried again
    if (this.#hasSession && !sessionPresent) this.#violation("the session is gone");
    this.sessionPresent = sessionPresent;
    this.#hasSession = true;
    this.#isOpen = true;
    this.disconnected = undefined;
    this.connections++;
    for (const entry of this.#outgoing.values()) {
      // [MQTT-4.4.0-1], in the order in which they were first sent [MQTT-4.6.0-1]
      entry.isResumed = entry.isReleased;
      if (entry.isReleased) this.#sendPubrel(entry);
      else this.#sendPublish(entry, true);
    }
    this.#opened.resolve();
  }

  // --- what this client publishes ---------------------------------------------------------------

  #sendPublish(entry: Outgoing, dup: boolean): void {
    const { packetId: messageId, topic, payload, qos, retain } = entry;
    const text = payload.toString("utf8", 0, 60);
    this.#options.history.note(this.clientId, `> ${text} #${messageId}${dup ? " dup" : ""}`);
    this.#send({ cmd: "publish", topic, payload, qos, retain, dup, messageId });
  }

  #sendPubrel({ packetId: messageId }: Outgoing): void {
    this.#send({ cmd: "pubrel", messageId });
  }

  #onAnswer(packet: PacketOf<"puback"> | PacketOf<"pubrec"> | PacketOf<"pubcomp">): void {
    const { cmd, messageId = 0, reasonCode = 0 } = packet;
    const entry = this.#outgoing.get(messageId);
    this.#options.history.note(this.clientId, `< ${cmd} #${messageId} ${reasonCode || ""}`);
    if (entry === undefined) {
      this.#violation(`${cmd} of nothing, #${messageId}`);
    } else if (
      reasonCode >= 0x80 &&
      !(cmd === "pubcomp" && entry.isResumed && reasonCode === notFound)
    ) {
      this.#violation(`${cmd} ${reasonCode} of #${messageId}`);
    } else if (cmd === "pubrec" && entry.qos === 2) {
      entry.acknowledged.resolve();
      entry.isReleased = true;
      this.#sendPubrel(entry);
    } else if (cmd === (entry.qos === 1 ? "puback" : "pubcomp")) {
      if (cmd === "pubcomp" && !entry.isReleased) this.#violation(`PUBCOMP before PUBREC`);
      this.#outgoing.delete(messageId);
      entry.acknowledged.resolve();
      entry.finished.resolve();
    } else {
      this.#violation(`${cmd} for QoS ${entry.qos}`);
    }
  }

  // --- what it receives -------------------------------------------------------------------------

  #onPublish(packet: PacketOf<"publish">): void {
    const { topic, qos, messageId = 0, dup, retain } = packet;
    const payload = Buffer.from(packet.payload);
    const text = payload.toString("utf8", 0, 60);
    const flags = `${qos > 0 ? ` #${messageId}` : ""}${dup ? " dup" : ""}`;
    this.#options.history.note(this.clientId, `< ${text} q${qos}${flags}`);
    if (dup && qos > 0) this.resumed++;
    if (qos === 0 && dup) this.#violation("DUP at QoS 0");
    if (qos > 0) this.#checkWindow(messageId);
    const message = { topic, payload, qos, retain, dup };
    if (qos === 2) {
      this.#onExactlyOnce(messageId, message);
      return;
    }
    this.#options.received?.(message);
    if (qos === 1) this.#answer({ cmd: "puback", messageId });
  }

  #onExactlyOnce(messageId: number, message: Arrival): void {
    const known = this.#incoming.get(messageId);
    const text = message.payload.toString();
    if (known === undefined) {
      this.#incoming.set(messageId, text);
      this.#options.received?.(message);
    } else if (known !== text || !message.dup) {
      this.#violation(`#${messageId} is "${known}", now "${text}" with DUP ${message.dup}`);
    }
    this.#answer({ cmd: "pubrec", messageId });
  }

  #onPubrel(messageId: number): void {
    this.#options.history.note(this.clientId, `< pubrel #${messageId}`);
    this.#unacknowledged.add(messageId);
    this.#incoming.delete(messageId);
    this.#answer({ cmd: "pubcomp", messageId });
  }

  /** [MQTT-3.3.4-9] */
  #checkWindow(messageId: number): void {
    if (this.#unacknowledged.has(messageId)) this.#violation(`#${messageId} is in use`);
    this.#unacknowledged.add(messageId);
    const { receiveMaximum = 65_535 } = this.#options;
    if (this.#unacknowledged.size > receiveMaximum) this.#violation("Receive Maximum is exceeded");
  }

  /** In order [MQTT-4.6.0-2]; a lazy client waits until some have come, or a moment. */
  #answer(packet: Packet): void {
    this.#late.push(packet);
    if (!this.isLazy || randomBool(this.#options.random, 0.2)) this.#flushLate();
    else if (this.#late.length === 1) void this.#flushSoon();
  }

  async #flushSoon(): Promise<void> {
    const link = this.#link;
    await pause(randomInt(this.#options.random, pick(this.#options.random, [2, 30])));
    if (this.#link === link) this.#flushLate();
  }

  #flushLate(): void {
    const late = this.#late;
    this.#late = [];
    for (const packet of late) {
      const { messageId = 0 } = packet;
      if (packet.cmd !== "pubrec") this.#unacknowledged.delete(messageId);
      this.#options.history.note(this.clientId, `> ${packet.cmd} #${messageId}`);
      this.#send(packet);
    }
  }

  // --- inside -----------------------------------------------------------------------------------

  #onSuback({ messageId = 0, granted }: PacketOf<"suback">): void {
    const request = this.#subscribing.get(messageId);
    this.#subscribing.delete(messageId);
    const codes = granted.map(Number).join();
    if (request === undefined) this.#violation("SUBACK of nothing");
    else if (codes === request.filters) request.answer.resolve();
    else this.#violation(`granted ${codes} for ${request.filters}`);
  }

  #nextId(): number {
    do {
      this.#lastId = (this.#lastId % 65_535) + 1;
    } while (this.#outgoing.has(this.#lastId) || this.#subscribing.has(this.#lastId));
    return this.#lastId;
  }

  #send(packet: Packet): void {
    if (this.#isOpen) this.#link?.send(packet);
  }

  #violation(text: string): void {
    this.#options.history.violation(this.clientId, text);
  }
}
