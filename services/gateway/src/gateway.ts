import type { Authenticator, Authorizer } from "@canopy/auth";
import {
  type Clock,
  type Lifecycle,
  type Logger,
  type Random,
  type Timer,
  type Timers,
  TimerWheel,
} from "@canopy/base";
import { REASON, RecordView } from "@canopy/codec";
import type { ConnectionSettings, Ending } from "@canopy/connection";
import type { GatewayPeer, Sessions } from "@canopy/session";
import type { Dispatch, Missed, PublishBatch, Push, ShardPeer, Shards } from "@canopy/store";
import type { Topic, TopicTable } from "@canopy/topic";
import { Client } from "./client.ts";
import { Counters } from "./counters.ts";
import { Backpressure } from "./delivery/backpressure.ts";
import { Deliveries } from "./delivery/deliveries.ts";
import { ProgressFlush } from "./delivery/progress.ts";
import { Pushes } from "./delivery/pushes.ts";
import { Reads } from "./delivery/reads.ts";
import type { Sub, SubDelivery } from "./delivery/sub.ts";
import { Targets } from "./delivery/targets.ts";
import { PublishWriter } from "./delivery/writer.ts";
import { Listeners } from "./listeners/listeners.ts";
import type { GatewayLimits, GatewayOptions } from "./options.ts";
import { ChunkPool } from "./output.ts";
import { Publisher } from "./publisher.ts";
import { Interests } from "./session/interests.ts";
import { notHere } from "./session/release.ts";
import { SystemTopics } from "./system.ts";
import type { Transport, TransportHandler } from "./transport.ts";
import { Writes } from "./writes.ts";

/** How often timers of connections are looked at, in ms. */
const TICK = 250;
/** Messages gathered from which they are passed on before the turn's end, and the time, in ms. */
const MUCH = 256;
const LONG = 1;

/**
 * The gateway: terminates MQTT, one {@link Client} per connection. Work is gathered during a turn of
 * the event loop and done at its end: one batch per shard, one write per socket.
 */
export class Gateway implements Lifecycle, ShardPeer {
  readonly settings: ConnectionSettings;
  readonly limits: GatewayLimits;
  readonly sessions: Sessions;
  readonly shards: Shards;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly topics: TopicTable;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly counters: Counters = new Counters();
  readonly chunks: ChunkPool = new ChunkPool();
  readonly wheel: TimerWheel<Client>;
  readonly targets: Targets = new Targets();
  readonly writer: PublishWriter;
  readonly publisher: Publisher;
  readonly pushes: Pushes;
  readonly reads: Reads;
  readonly deliveries: Deliveries;
  readonly backpressure: Backpressure;
  readonly progress: ProgressFlush;
  readonly interests: Interests;
  readonly mayAnswer: (() => boolean) | undefined;
  readonly whyBanned: GatewayOptions["whyBanned"];
  readonly system: SystemTopics;
  readonly listeners: Listeners;
  incarnation = 0;
  stopped = false;
  /** Number of the turn at hand. */
  turn = 1;
  /** Wall clock of this turn, ms since 1970: when its messages were accepted. */
  wall = 0;
  readonly clients: Set<Client> = new Set();
  readonly #byIncarnation = new Map<number, Client>();
  readonly #releasing = new Set<Promise<void>>();
  readonly #random: Random;
  readonly #view = new RecordView();
  readonly #pauses = new Map<Timer, () => void>();
  readonly #writes: Writes = new Writes(this);
  /** Clients that have had their slice of this turn. */
  #resting: Client[] = [];
  #scheduled = false;
  #backlog = 0;
  #pushed = 0;
  #ticker: Timer | undefined = undefined;
  /** For the next turn, where nothing else may bring one. */
  #alarm: Timer | undefined = undefined;
  #members = 0;
  #opens = 0;
  readonly #incarnationGiven: () => number;
  readonly #turn = (): void => this.#endTurn();
  readonly #peer: GatewayPeer = {
    stop: (incarnation, epoch, reason) => this.#giveUp(incarnation, epoch, reason),
  };

  constructor(options: GatewayOptions) {
    this.settings = options.settings;
    this.limits = options.limits;
    this.sessions = options.sessions;
    this.shards = options.shards;
    this.authenticator = options.authenticator;
    this.authorizer = options.authorizer;
    this.topics = options.topics;
    this.clock = options.clock;
    this.timers = options.timers;
    this.logger = options.logger;
    this.mayAnswer = options.mayAnswer;
    this.whyBanned = options.whyBanned;
    this.#incarnationGiven = options.incarnation;
    this.#random = options.random;
    this.wheel = new TimerWheel<Client>(options.clock.now(), { tickMs: TICK });
    this.writer = new PublishWriter(options.clock);
    this.publisher = new Publisher(this);
    this.pushes = new Pushes(this);
    this.reads = new Reads(this);
    this.deliveries = new Deliveries(this);
    this.backpressure = new Backpressure(this);
    this.progress = new ProgressFlush(this, options.limits.progressInterval);
    this.interests = new Interests(this);
    this.system = new SystemTopics(this, options.sysInterval, options.version);
    this.listeners = new Listeners(this, options.listen);
  }

  // --- life -------------------------------------------------------------------------------------

  async start(): Promise<void> {
    this.incarnation = this.#incarnationGiven();
    // first: owners of shards wait for what every gateway that lives says to them
    this.shards.register(this.incarnation, this);
    await this.sessions.attach(this.incarnation, this.#peer);
    if (this.stopped) return;
    this.#tick();
    this.system.start();
    await this.listeners.start();
  }

  /** Accepts nothing more, sends every client away (0x8B) and gives its session back. */
  async stop(): Promise<void> {
    await this.listeners.stop();
    this.system.stop();
    for (const client of this.clients) {
      client.stop(REASON.serverShuttingDown, "the broker is shutting down");
    }
    await this.#drain();
    this.#end();
    for (const client of this.clients) client.transport.destroy();
  }

  /**
   * Instead of stop(), where others count this gateway as dead: clients are sent away (0x8B) without
   * an answer to anything, and nothing is given back.
   */
  async abandon(): Promise<void> {
    await this.listeners.stop();
    this.system.stop();
    for (const client of this.clients) {
      client.output.discard();
      client.stop(REASON.serverShuttingDown, "the broker has lost its place in the cluster");
    }
    this.#end();
  }

  /** What was held back while nothing could be answered may leave. */
  answerAgain(): void {
    for (const client of this.clients) client.speakAgain();
  }

  #end(): void {
    this.stopped = true;
    this.progress.stop();
    this.#ticker?.cancel();
    this.#alarm?.cancel();
    for (const [timer, go] of this.#pauses) {
      timer.cancel();
      go();
    }
    this.#pauses.clear();
    if (this.incarnation !== 0) this.shards.unregister(this.incarnation);
  }

  async #drain(): Promise<void> {
    const deadline = this.clock.now() + this.limits.shutdownTimeout;
    const timeIsUp = this.pause(this.limits.shutdownTimeout);
    // a release may begin while others are waited for: of a session that was being opened
    while (this.#releasing.size > 0 && this.clock.now() < deadline) {
      await Promise.race([Promise.all(this.#releasing), timeIsUp]);
    }
  }

  #tick(): void {
    this.#ticker = this.timers.set(TICK, () => {
      this.wheel.advance(this.clock.now(), (client) => client.timedOut());
      this.publisher.giveUp(this.limits.answerTimeout);
      if (!this.stopped) this.#tick();
    });
  }

  // --- connections ------------------------------------------------------------------------------

  /** Number of the next open: none of this gateway has had it. */
  nextOpen(): number {
    return ++this.#opens;
  }

  accept(transport: Transport): TransportHandler | undefined {
    const { maxConnections } = this.limits;
    if (maxConnections > 0 && this.clients.size >= maxConnections) {
      this.counters.connectionsRefused++;
      return undefined;
    }
    const client = new Client(this, transport);
    this.clients.add(client);
    this.counters.connectionsTotal++;
    return client;
  }

  /** The session is this connection's now. */
  clientOpened(client: Client): void {
    this.#byIncarnation.set(client.incarnation, client);
    this.counters.connected++;
    const { connected, connectedMaximum } = this.counters;
    if (connected > connectedMaximum) this.counters.connectedMaximum = connected;
  }

  clientEnded(client: Client, ending: Ending): void {
    if (client.incarnation !== 0) this.counters.connected--;
    const { clientId } = client.connection;
    const { reasonCode, text, by } = ending;
    const { remoteAddress } = client.transport;
    this.logger.debug({ clientId, remoteAddress, reasonCode, by, text }, "disconnected");
  }

  clientClosed(client: Client): void {
    this.clients.delete(client);
    this.#backlog -= client.countedBacklog;
    client.countedBacklog = 0;
  }

  clientReleased(client: Client): void {
    const { incarnation } = client;
    if (this.#byIncarnation.get(incarnation) === client) this.#byIncarnation.delete(incarnation);
  }

  releasing(client: Client, release: Promise<void>): void {
    const watched = release
      .catch((error: unknown) => {
        const { clientId } = client.connection;
        this.logger.error({ error, clientId }, "releasing a session failed");
      })
      .finally(() => this.#releasing.delete(watched));
    this.#releasing.add(watched);
  }

  assignClientId(): string {
    let id = "canopy-";
    for (let i = 0; i < 4; i++) {
      id += Math.floor(this.#random.next() * 2 ** 32)
        .toString(16)
        .padStart(8, "0");
    }
    return id;
  }

  #giveUp(incarnation: number, epoch: number, reason: "taken-over" | "deleted"): void {
    const client = this.#byIncarnation.get(incarnation);
    if (client === undefined || client.epoch !== epoch) {
      notHere(this, incarnation, epoch);
      return;
    }
    if (client.ended) return;
    if (reason === "taken-over") {
      client.stop(REASON.sessionTakenOver, "another connection has this client id"); // [MQTT-3.1.4-3]
    } else {
      client.stop(REASON.administrativeAction, "the session was deleted");
    }
  }

  // --- the turn ---------------------------------------------------------------------------------

  /** Something is to be done at the end of this turn. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.wall = this.clock.wall();
    setImmediate(this.#turn);
  }

  /** Grows in every turn that has live traffic. */
  get liveTraffic(): number {
    return this.counters.publishReceived + this.#pushed + this.#writes.liveTraffic;
  }

  markDirty(client: Client): void {
    client.dirty = true;
    this.#writes.add(client, this.pushes.isWide);
    this.schedule();
  }

  /**
   * In a busy turn the first messages need not wait until all sockets have been read: a batch has
   * saved by then what it can save. Nor need few of them wait for thousands of acknowledgements.
   */
  passOn(): void {
    const { publisher } = this;
    if (!publisher.hasOpen || this.stopped) return;
    const isMuch = publisher.gathered >= MUCH && !this.#writes.isLate;
    if (!isMuch && this.clock.now() - publisher.since < LONG) return;
    publisher.flush();
    this.#writes.flushNew();
  }

  #endTurn(): void {
    // what clients sent last has no answer and no acknowledgement: the store service knows us no more
    if (this.stopped) return;
    this.publisher.flush();
    this.interests.flush();
    this.reads.flush();
    this.deliveries.flush();
    this.#writes.flush();
    this.#scheduled = false;
    // an answer within the turn may have let a client go on whose packets were held back
    if (this.publisher.hasOpen || this.#writes.isLate) this.schedule();
    this.turn++;
    if (this.#resting.length > 0) this.#goOn();
    this.#wakeForReads();
  }

  /** A backlog that waits for its share of the time makes no turns meanwhile. */
  #wakeForReads(): void {
    if (this.#alarm !== undefined || this.#scheduled) return;
    const left = this.reads.timeLeft;
    if (left === undefined) return;
    this.#alarm = this.timers.set(left, () => {
      this.#alarm = undefined;
      this.schedule();
    });
  }

  /** The client is read from again when the others have had their turn. */
  rest(client: Client): void {
    this.#resting.push(client);
    this.schedule();
  }

  #goOn(): void {
    const resting = this.#resting;
    this.#resting = [];
    for (const client of resting) client.goOn();
  }

  countBacklog(client: Client): void {
    if (!this.clients.has(client)) return;
    const { backlog } = client.transport;
    this.#backlog += backlog - client.countedBacklog;
    client.countedBacklog = backlog;
  }

  /** Whether more QoS 0 for this client would break a bound. */
  overflows(client: Client): boolean {
    const { pending } = client.output;
    if (pending > this.limits.connectionOutputBytes) return true;
    return this.#backlog > this.limits.gatewayOutputBytes && client.countedBacklog > 0;
  }

  // --- what the store service says --------------------------------------------------------------

  answered(batch: PublishBatch, index: number, reasonCode: number): void {
    this.publisher.answered(batch, index, reasonCode);
  }

  released(batch: PublishBatch): void {
    this.publisher.released(batch);
  }

  push(push: Push): void {
    this.#pushed++;
    this.pushes.push(push);
    this.shards.acknowledged(this.incarnation, push.number);
  }

  missed(missed: Missed): void {
    this.pushes.missed(missed);
    this.shards.acknowledged(this.incarnation, missed.number);
  }

  ownerChanged(shard: number): void {
    this.pushes.readAnew(shard);
  }

  /** Never said to a gateway that never resumes: giving batches again is not this class's matter. */
  notTaken(): void {}

  dispatch(message: Dispatch): void {
    this.pushes.dispatch(message);
    this.shards.acknowledged(this.incarnation, message.number);
  }

  // --- shared subscriptions ---------------------------------------------------------------------

  newMember(sub: Sub): number {
    const member = ++this.#members;
    this.pushes.members.set(member, sub);
    return member;
  }

  dropMember(member: number): void {
    this.pushes.members.delete(member);
  }

  settle(member: number, shard: number, offset: number): void {
    this.shards.settle(this.incarnation, member, shard, offset);
  }

  /** A QoS 2 delivery of a shared subscription: the group's progress first, then the session's. */
  settleDurably(client: Client, delivery: SubDelivery): void {
    const { source, shard, offset } = delivery;
    this.shards.settleDurably(source.filter, shard, offset).then(
      () => {
        if (!client.ended) client.outbox.complete(delivery);
      },
      (error: unknown) => {
        this.logger.warn({ error }, "progress of a shared subscription was not stored");
        this.later(TICK, () => {
          if (!client.ended) this.settleDurably(client, delivery);
        });
      },
    );
  }

  // --- small services ---------------------------------------------------------------------------

  /** The record that the writer has at hand, to be kept. */
  copyRecord(): Uint8Array {
    const { bytes, start, payloadEnd } = this.writer.record;
    return Buffer.from(bytes.subarray(start, payloadEnd));
  }

  topicAt(bytes: Uint8Array, topicStart: number, topicEnd: number): Topic | undefined {
    return this.topics.intern(bytes, topicStart + 2, topicEnd);
  }

  /**
   * Gives a message from the store to the writer; false if it has expired, or can't be read: a
   * damaged one must not keep back those behind it.
   */
  beginStored(
    bytes: Uint8Array,
    start: number,
    end: number,
    shard: number,
    offset: number,
  ): boolean {
    try {
      return this.writer.begin(bytes, start, end, false);
    } catch (error) {
      this.logger.error({ error, shard, offset }, "a stored message is damaged");
      return false;
    }
  }

  /** Undefined also where the record is damaged. */
  topicOf(recordBytes: Uint8Array): Topic | undefined {
    let record: RecordView;
    try {
      record = this.#view.set(recordBytes, 0, recordBytes.length);
    } catch (error) {
      this.logger.error({ error }, "a stored message is damaged");
      return undefined;
    }
    return this.topicAt(recordBytes, record.topicStart, record.topicEnd);
  }

  /** Runs something later, unless the gateway has stopped by then. */
  later(ms: number, action: () => void): void {
    this.pause(ms).then(
      () => {
        if (!this.stopped) action();
      },
      (error: unknown) => this.logger.error({ error }, "a defect in a delayed action"),
    );
  }

  /** Settles after the time, or when the gateway stops. */
  async pause(ms: number): Promise<void> {
    if (this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = this.timers.set(ms, () => {
        this.#pauses.delete(timer);
        resolve();
      });
      this.#pauses.set(timer, resolve);
    });
  }
}
