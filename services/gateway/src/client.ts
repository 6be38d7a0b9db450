import type { Exchange, Identity, Peer } from "@canopy/auth";
import { LazyMap, WheelEntry } from "@canopy/base";
import {
  ACK_SIZE,
  type Connect,
  Decoder,
  MalformedPacket,
  type PublishView,
  REASON,
  type RecordView,
  type ServerPacket,
  type Version,
  writeAck,
} from "@canopy/codec";
import {
  Connection,
  type Effects,
  type Ending,
  type GrantedSubscription,
  type OpenSession,
} from "@canopy/connection";
import type { Topic } from "@canopy/topic";
import { authenticate, decisionCode, exchange } from "./admission.ts";
import { Outbox } from "./delivery/outbox.ts";
import type { Sub, SubDelivery } from "./delivery/sub.ts";
import type { Gateway } from "./gateway.ts";
import { Output } from "./output.ts";
import { encodeWithin, sameBytes } from "./packet.ts";
import { openSession } from "./session/open.ts";
import { releaseSession } from "./session/release.ts";
import { Subscriptions } from "./session/subscriptions.ts";
import type { Transport, TransportHandler } from "./transport.ts";

const ANONYMOUS: Identity = { user: undefined };
const EMPTY = Buffer.alloc(0);

/** Why nothing is read from the client. */
const HOLD = { protocol: 1, subscriptions: 2, output: 4, turn: 8, silence: 16 } as const;

/**
 * What one client may bring in one turn, in packets that cost something and in bytes: a read brings
 * 64 KiB, and a socket with more is read again up to 32 times before any other.
 */
const SLICE = 256;
const SLICE_BYTES = 256 * 1024;

/**
 * One client's connection: the socket on one side, the protocol ({@link Connection}) in the middle,
 * sessions, shards and authentication on the other side. It performs the protocol's effects.
 */
export class Client implements TransportHandler, Effects<Sub>, Peer {
  readonly gateway: Gateway;
  readonly transport: Transport;
  readonly output: Output;
  readonly connection: Connection<Sub>;
  readonly outbox: Outbox;
  readonly subscriptions: Subscriptions;
  readonly decoder: Decoder;
  readonly timeout: WheelEntry<Client> = new WheelEntry<Client>(this);
  clientIdBytes: Buffer = EMPTY;
  version: Version = 5;
  aliasing = false;
  maximumPacketSize: number = Number.POSITIVE_INFINITY;
  identity: Identity = ANONYMOUS;
  /** The exchange of an enhanced authentication under way. */
  authExchange: Exchange | undefined = undefined;
  incarnation = 0;
  epoch = 0;
  durable = false;
  /** PUBLISHes of QoS 1 and 2 that the store service has not answered. */
  outstanding = 0;
  /** Shard of each QoS 2 PUBLISH that has a receipt, by packet identifier. */
  readonly receiptShards: LazyMap<number, number> = new LazyMap();
  /** Shards that the session state has for them; undefined while the session is not restored. */
  committedReceiptShards: readonly number[] | undefined = undefined;
  /** Filters whose draining has ended. */
  readonly drainedFilters: string[] = [];
  /** In this turn's list of outputs to flush. */
  dirty = false;
  /** What of the backlog counts in the gateway's sum. */
  countedBacklog = 0;
  ending: Ending | undefined = undefined;
  #keepAlive = 0;
  /** Sum of the reasons of {@link HOLD} that stand. */
  #holds = 0;
  /** What waited to be written when the keep alive had run out during a hold for output. */
  #backlogBefore = Number.POSITIVE_INFINITY;
  /** The turn that it had packets in last, and what it brought there. */
  #turn = 0;
  #packets = 0;
  #bytes = 0;
  #lastTopic: Topic | undefined = undefined;
  #onSettled: (() => void) | undefined = undefined;

  constructor(gateway: Gateway, transport: Transport) {
    this.gateway = gateway;
    this.transport = transport;
    this.output = new Output(transport, gateway.chunks, gateway.counters, gateway.mayAnswer);
    this.decoder = new Decoder({ maxPacketSize: gateway.settings.maxPacketSize });
    this.connection = new Connection<Sub>(gateway.settings, this);
    this.outbox = new Outbox(this, gateway);
    this.subscriptions = new Subscriptions(this, gateway);
    gateway.wheel.schedule(this.timeout, gateway.clock.now() + gateway.limits.connectTimeout);
  }

  get ended(): boolean {
    return this.ending !== undefined;
  }

  // --- as an authenticator and an authorizer see it: no object is made for each message ----------

  get address(): string {
    return this.transport.remoteAddress;
  }

  get listener(): string {
    return this.transport.listener;
  }

  get clientId(): string {
    return this.connection.clientId;
  }

  get protocolVersion(): Version {
    return this.version;
  }

  // --- the socket -------------------------------------------------------------------------------

  data(chunk: Buffer): void {
    if (this.ended) return;
    this.gateway.counters.bytesReceived += chunk.length;
    if (this.#keepAlive > 0) this.timeout.deadline = this.gateway.clock.now() + this.#keepAlive;
    if (this.#turn !== this.gateway.turn) this.#newTurn();
    this.#bytes += chunk.length;
    if (this.#bytes > SLICE_BYTES) this.#rest();
    this.#decode(chunk);
    this.gateway.passOn();
  }

  drained(): void {
    this.output.reclaim();
    this.gateway.countBacklog(this);
    this.#hold(HOLD.output, false);
    if (!this.ended) this.outbox.pump();
  }

  closed(reason: string): void {
    this.connection.lost(reason === "" ? "the connection was closed" : reason);
    this.gateway.clientClosed(this);
  }

  /** The keep alive, or the time for a CONNECT, has run out. */
  timedOut(): void {
    if (this.#isDelayed() && this.connection.phase === "open") {
      this.gateway.wheel.schedule(this.timeout, this.gateway.clock.now() + this.#keepAlive);
    } else if (this.connection.phase === "open") {
      this.connection.fail(REASON.keepAliveTimeout, "nothing came within the keep alive time"); // [MQTT-3.1.2-22]
    } else if (this.connection.phase === "new") {
      this.connection.lost("no CONNECT in time");
    } else {
      this.connection.fail(REASON.unspecifiedError, "the connection was not set up in time");
    }
  }

  /** Whether it is the broker that does not read, and not the client that does not take anything. */
  #isDelayed(): boolean {
    if (this.#holds !== HOLD.output) return this.#holds !== 0;
    const before = this.#backlogBefore;
    this.#backlogBefore = this.transport.backlog;
    return this.transport.backlog < before;
  }

  #decode(chunk: Buffer | undefined): void {
    try {
      if (chunk === undefined) this.decoder.resume(this.connection);
      else this.decoder.decode(chunk, this.connection);
    } catch (error) {
      if (error instanceof MalformedPacket) {
        const { refusalVersion } = this.decoder;
        this.connection.malformed(error.reasonCode, error.message, refusalVersion);
      } else {
        this.gateway.logger.error({ error, clientId: this.connection.clientId }, "a defect");
        this.connection.fail(REASON.implementationSpecificError, "a defect of the broker");
      }
    }
    // a nested call (an answer lets the client go on) has counted its own
    this.gateway.counters.packetsReceived += this.decoder.packets;
    this.decoder.packets = 0;
  }

  // --- effects of the protocol: the wire --------------------------------------------------------

  send(packet: ServerPacket): void {
    const { version, connect } = this.connection;
    const bytes = encodeWithin(packet, version, connect?.maximumPacketSize ?? Infinity);
    if (bytes === undefined) {
      if (packet.type === "connack" && packet.reasonCode === REASON.success) this.#unwelcome();
      return;
    }
    this.gateway.counters.packetsSent++;
    this.output.append(bytes);
    this.touch();
    this.#count();
  }

  /** Its Maximum Packet Size leaves no room for its CONNACK, without which it would wait for ever. */
  #unwelcome(): void {
    const reasonCode = REASON.packetTooLarge;
    this.send({ type: "connack", sessionPresent: false, reasonCode });
    const text = "CONNACK is larger than the client takes";
    queueMicrotask(() => {
      this.connection.end({ reasonCode, text, by: "server", will: "drop", expiry: undefined });
    });
  }

  ack(type: 4 | 5 | 6 | 7, packetId: number, reasonCode: number): void {
    const { output } = this;
    const out = output.reserve(ACK_SIZE);
    output.at = writeAck(out, output.at, type, this.version, packetId, reasonCode);
    this.gateway.counters.packetsSent++;
    this.touch();
  }

  /** This turn's bytes are to be written at its end. */
  touch(): void {
    if (!this.dirty) this.gateway.markDirty(this);
  }

  hold(on: boolean): void {
    this.#hold(HOLD.protocol, on);
  }

  /** Too many of its SUBSCRIBEs and UNSUBSCRIBEs wait. */
  holdForSubscriptions(on: boolean): void {
    this.#hold(HOLD.subscriptions, on);
  }

  /**
   * A client that sends but does not take what it is sent, acknowledgements at least, is not read
   * from until it does. What it subscribed to can't bring it here: that stops much earlier.
   */
  holdForOutput(): void {
    if (this.output.isHeld && !this.ended) this.#hold(HOLD.silence, true);
    if (this.transport.backlog <= this.gateway.limits.connectionOutputBytes * 2) return;
    if ((this.#holds & HOLD.output) !== 0 || this.ended) return;
    this.#backlogBefore = Number.POSITIVE_INFINITY;
    this.#hold(HOLD.output, true);
  }

  /** What was held back may leave. */
  speakAgain(): void {
    if (this.ended || !this.output.isHeld) return;
    this.output.letGo();
    this.gateway.countBacklog(this);
    this.#hold(HOLD.silence, false);
  }

  #hold(reason: number, on: boolean): void {
    const before = this.#holds;
    this.#holds = on ? before | reason : before & ~reason;
    if (on) {
      this.decoder.paused = true;
      if (before === 0) this.transport.pause();
      return;
    }
    if (before === 0 || this.#holds !== 0) return;
    // time that the broker did not read does not count
    if (this.#keepAlive > 0) this.timeout.deadline = this.gateway.clock.now() + this.#keepAlive;
    if (!this.ended) this.#decode(undefined);
    // what was kept may be more than it may bring now
    if (this.#holds === 0) this.transport.resume();
  }

  /** A packet that costs something. */
  #count(): void {
    if (this.#turn !== this.gateway.turn) this.#newTurn();
    if (++this.#packets >= SLICE) this.#rest();
  }

  #newTurn(): void {
    this.#turn = this.gateway.turn;
    this.#packets = 0;
    this.#bytes = 0;
  }

  /** It has had its slice of this turn: the others are next. */
  #rest(): void {
    if ((this.#holds & HOLD.turn) !== 0 || this.ended) return;
    this.#hold(HOLD.turn, true);
    this.gateway.rest(this);
  }

  /** Another turn has begun. */
  goOn(): void {
    this.#hold(HOLD.turn, false);
    this.gateway.passOn();
  }

  keepAlive(timeoutMs: number): void {
    this.#keepAlive = timeoutMs;
    const { wheel, clock } = this.gateway;
    if (timeoutMs === 0) wheel.cancel(this.timeout);
    else wheel.schedule(this.timeout, clock.now() + timeoutMs);
  }

  /** A PUBLISH of this size has been written to the client. */
  published(size: number): void {
    const { counters } = this.gateway;
    counters.packetsSent++;
    counters.publishSent++;
    counters.publishBytesSent += size;
  }

  // --- effects: publishing ----------------------------------------------------------------------

  intern(buffer: Buffer, start: number, end: number): Topic | undefined {
    const last = this.#lastTopic;
    if (last !== undefined && sameBytes(last.wire, buffer, start, end)) return last;
    const topic = this.gateway.topics.intern(buffer, start, end);
    this.#lastTopic = topic;
    return topic;
  }

  mayPublish(topic: Topic, qos: 0 | 1 | 2, retain: boolean): number {
    const { authorizer } = this.gateway;
    return decisionCode(authorizer.publish(this.identity, this, topic.name, qos, retain));
  }

  publish(view: PublishView, topic: Topic, slot: number): void {
    const { counters } = this.gateway;
    counters.publishReceived++;
    counters.publishBytesReceived += view.payloadEnd - view.payloadStart;
    this.gateway.publisher.add(this, view, topic, slot);
    this.#count();
  }

  forget(packetId: number): void {
    const shard = this.receiptShards.get(packetId);
    if (shard === undefined) return this.connection.forgotten(packetId);
    this.gateway.shards.forget(shard, this.incarnation, packetId).then(
      () => {
        this.receiptShards.delete(packetId);
        this.connection.forgotten(packetId);
        this.touch();
      },
      () => this.connection.fail(REASON.unspecifiedError, "PUBREL could not be stored"),
    );
  }

  dropped(): void {
    this.gateway.counters.publishRefused++;
  }

  // --- effects: admission -----------------------------------------------------------------------

  assignClientId(): string {
    return this.gateway.assignClientId();
  }

  authenticate(connect: Connect, clientId: string): void {
    this.#connecting(connect, clientId);
    authenticate(this.gateway, this, connect);
  }

  exchange(method: string, data: Uint8Array | undefined, first: boolean, again: boolean): void {
    const { connect, clientId } = this.connection;
    if (first && !again) this.#connecting(connect as Connect, clientId);
    exchange(this.gateway, this, method, data, first, again);
  }

  mayLeaveWill(connect: Connect): number {
    const { will } = connect;
    if (will === undefined) return 0;
    if (/^\$SYS(\/|$)/.test(will.topic)) return REASON.notAuthorized;
    const { authorizer } = this.gateway;
    return decisionCode(authorizer.publish(this.identity, this, will.topic, will.qos, will.retain));
  }

  open(request: OpenSession): void {
    openSession(this.gateway, this, request);
  }

  started(): void {
    this.subscriptions.start();
  }

  #connecting(connect: Connect, clientId: string): void {
    this.version = connect.version;
    this.clientIdBytes = Buffer.from(clientId);
    this.maximumPacketSize = connect.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.aliasing = this.connection.aliases.maximum > 0;
  }

  // --- effects: subscriptions -------------------------------------------------------------------

  maySubscribe(subscription: GrantedSubscription): number {
    const { authorizer } = this.gateway;
    const { plainFilter, qos, share } = subscription;
    return decisionCode(authorizer.subscribe(this.identity, this, plainFilter, qos, share));
  }

  subscriptionCount(): number {
    return this.subscriptions.size;
  }

  hasSubscription(filter: string): boolean {
    return this.subscriptions.has(filter);
  }

  subscribe(
    granted: readonly GrantedSubscription[],
    settle: (codes: readonly number[]) => void,
  ): void {
    this.subscriptions.subscribe(granted, settle);
  }

  unsubscribe(filters: readonly string[], settle: (codes: readonly number[]) => void): void {
    this.subscriptions.unsubscribe(filters, settle);
  }

  // --- effects: deliveries ----------------------------------------------------------------------

  finished(delivery: SubDelivery): void {
    this.outbox.finished(delivery);
  }

  received(delivery: SubDelivery): void {
    this.outbox.received(delivery);
  }

  completed(delivery: SubDelivery): void {
    this.outbox.completed(delivery);
  }

  isPublisher(record: RecordView): boolean {
    const { bytes, clientIdStart, clientIdEnd } = record;
    const id = this.clientIdBytes;
    if (clientIdEnd - clientIdStart !== id.length) return false;
    return id.compare(bytes, clientIdStart, clientIdEnd) === 0;
  }

  progressed(): void {
    if (this.durable && !this.ended) this.gateway.progress.changed(this);
  }

  /** The last delivery of an unsubscribed filter's queue is finished [MQTT-3.10.4-3]. */
  subDrained(sub: Sub): void {
    this.drainedFilters.push(sub.filter);
    this.progressed();
  }

  /** A transient session does not keep up: nothing is skipped silently, it is disconnected. */
  overflowed(): void {
    this.connection.fail(REASON.quotaExceeded, "too many messages wait for this client");
  }

  // --- the end ----------------------------------------------------------------------------------

  /** Somebody else takes the session, or an operator ends it. Idempotent. */
  stop(reasonCode: number, text: string): void {
    // a farewell is no answer
    if (this.gateway.mayAnswer?.() === false) this.output.discard();
    this.connection.fail(reasonCode, text);
  }

  end(ending: Ending): void {
    this.ending = ending;
    this.decoder.paused = true;
    const { gateway } = this;
    gateway.wheel.cancel(this.timeout);
    gateway.clientEnded(this, ending);
    this.output.flush();
    if (ending.by === "network" && ending.text === "the connection was closed") {
      this.transport.destroy();
    } else {
      this.transport.end();
    }
    releaseSession(gateway, this, ending);
  }

  /** Settles when no append of this client is unanswered. */
  async answered(): Promise<void> {
    if (this.outstanding === 0) return;
    this.gateway.publisher.withdraw(this);
    // answered within the call, perhaps
    if (this.outstanding === 0) return;
    await new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
  }

  /** The last append has been answered. */
  settled(): void {
    this.#onSettled?.();
    this.#onSettled = undefined;
  }
}
