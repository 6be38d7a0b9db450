import { pick, type Random, randomBool, randomInt, seededRandom } from "@canopy/base";
import type { Packet } from "mqtt-packet";
import { TestClient } from "./client.ts";
import { World } from "./world.ts";

const TOPICS = ["a", "a/b", "a/c", "d"] as const;
const FILTERS = ["a", "a/b", "a/+", "#", "d", "a/#"] as const;
const FOREVER = { sessionExpiryInterval: 0xff_ff_ff_ff };
type QoS = 0 | 1 | 2;

export interface ScheduleOptions {
  readonly steps: number;
  readonly subscribers: number;
  readonly publishers: number;
  /** Whether subscriptions end, and begin again. */
  readonly changing: boolean;
  /** Whether the process ends and starts again. */
  readonly restarts: boolean;
}

/** One message, as its publisher knows it. */
interface Sent {
  readonly publisher: string;
  readonly topic: string;
  readonly qos: QoS;
  readonly sequence: number;
  /** In steps of the schedule. */
  readonly at: number;
  acknowledged: boolean;
}

interface Got {
  readonly key: string;
  readonly qos: QoS;
  readonly dup: boolean;
}

function keyOf({ publisher, topic, qos, sequence }: Sent): string {
  return `${publisher} ${topic} ${qos} ${sequence}`;
}

/** Publishes with a session that lasts, and sends again what was not acknowledged [MQTT-4.4.0-1]. */
class Publisher {
  readonly client: TestClient;
  readonly log: Sent[];
  readonly #sequences = new Map<string, number>();
  /** By packet identifier, in the order sent; `released`: PUBREL is owed, or sent. */
  readonly #open = new Map<number, { sent: Sent; packet: Packet; released: boolean }>();
  #ready = false;

  constructor(world: World, clientId: string, log: Sent[], random: Random) {
    this.client = new TestClient(world, { clientId, random });
    this.client.onPacket = (packet) => this.#arrived(packet);
    this.log = log;
  }

  get isReady(): boolean {
    return this.#ready && !this.client.isClosed;
  }

  get isDone(): boolean {
    return this.#open.size === 0;
  }

  connect(): void {
    this.#ready = false;
    this.client.open({ clean: false, properties: FOREVER });
  }

  publish(topic: string, qos: QoS, retain: boolean, at: number): void {
    if (!this.isReady || this.#open.size >= 50) return;
    const series = `${topic} ${qos}`;
    const sequence = (this.#sequences.get(series) ?? 0) + 1;
    this.#sequences.set(series, sequence);
    const publisher = this.client.clientId;
    const sent: Sent = { publisher, topic, qos, sequence, at, acknowledged: false };
    this.log.push(sent);
    const packet = {
      cmd: "publish",
      topic,
      qos,
      retain,
      dup: false,
      payload: keyOf(sent),
    } as const;
    if (qos === 0) {
      this.client.send(packet);
      return;
    }
    let messageId = this.client.nextId();
    while (this.#open.has(messageId)) messageId = this.client.nextId();
    this.#open.set(messageId, { sent, packet: { ...packet, messageId }, released: false });
    this.client.send({ ...packet, messageId });
  }

  #arrived(packet: Packet): boolean {
    const open = this.#open.get(packet.messageId ?? 0);
    if (packet.cmd === "connack") {
      this.#ready = packet.reasonCode === 0;
      if (this.#ready) this.#again(packet.sessionPresent);
    } else if (packet.cmd === "puback" || packet.cmd === "pubrec") {
      if (open === undefined) throw new Error(`${packet.cmd} of nothing`);
      if ((packet.reasonCode ?? 0) >= 0x80) throw new Error(`refused: ${packet.reasonCode}`);
      open.sent.acknowledged = true;
      if (packet.cmd === "puback") {
        this.#open.delete(packet.messageId ?? 0);
      } else {
        open.released = true;
        this.client.send({ cmd: "pubrel", messageId: packet.messageId ?? 0 });
      }
    } else if (packet.cmd === "pubcomp") {
      this.#open.delete(packet.messageId ?? 0);
    }
    return true;
  }

  #again(sessionPresent: boolean): void {
    if (!sessionPresent && this.#open.size > 0) throw new Error("the publisher's session is gone");
    for (const [messageId, { packet, released }] of this.#open) {
      if (released) this.client.send({ cmd: "pubrel", messageId });
      else this.client.send({ ...packet, dup: true } as Packet);
    }
  }
}

/** Subscribes with a durable session; acknowledges when the schedule says so. */
class Subscriber {
  readonly client: TestClient;
  readonly got: Got[] = [];
  /** Filter → since when it is certain that nothing at QoS ≥ 1 may be missed. */
  readonly since = new Map<string, number>();
  /** Filters for which an UNSUBSCRIBE or SUBSCRIBE is not answered on this connection. */
  readonly #asked = new Map<number, { filter: string; qos: QoS | undefined }>();
  /** QoS 2 packet identifiers that were received and not released, as the standard has it. */
  readonly #received = new Set<number>();
  #owed: Packet[] = [];
  #ready = false;
  automatic = false;
  receiveMaximum = 0;
  #inFlight = 0;
  now = 0;

  constructor(world: World, clientId: string, random: Random) {
    this.client = new TestClient(world, { clientId, random });
    this.client.onPacket = (packet) => this.#arrived(packet);
  }

  get isReady(): boolean {
    return this.#ready && !this.client.isClosed;
  }

  get owes(): number {
    return this.#owed.length;
  }

  connect(receiveMaximum: number): void {
    this.#ready = false;
    this.#owed = [];
    this.#inFlight = 0;
    this.#asked.clear();
    this.receiveMaximum = receiveMaximum;
    this.client.open({ clean: false, properties: { ...FOREVER, receiveMaximum } });
  }

  subscribe(filter: string, qos: QoS, id: number): void {
    if (!this.isReady) return;
    const messageId = this.client.nextId();
    if (qos === 0) this.since.delete(filter);
    this.#asked.set(messageId, { filter, qos });
    this.client.send({
      cmd: "subscribe",
      messageId,
      subscriptions: [{ topic: filter, qos, rh: 2 }],
      properties: { subscriptionIdentifier: id },
    });
  }

  unsubscribe(filter: string): void {
    if (!this.isReady) return;
    const messageId = this.client.nextId();
    this.since.delete(filter);
    this.#asked.set(messageId, { filter, qos: undefined });
    this.client.send({ cmd: "unsubscribe", messageId, unsubscriptions: [filter] });
  }

  /** Acknowledges the oldest ones, in their order. */
  acknowledge(count: number): void {
    for (const packet of this.#owed.splice(0, count)) this.#answer(packet);
  }

  #arrived(packet: Packet): boolean {
    if (packet.cmd === "connack") {
      this.#ready = packet.reasonCode === 0;
      // without a session there was none yet: nothing of it can be missed
      if (this.#ready && !packet.sessionPresent && this.since.size > 0) {
        throw new Error(`the session of ${this.client.clientId} is gone`);
      }
    } else if (packet.cmd === "suback") {
      const asked = this.#asked.get(packet.messageId ?? 0);
      const granted = packet.granted[0];
      if (typeof granted === "number" && granted >= 0x80) throw new Error(`SUBACK ${granted}`);
      this.#asked.delete(packet.messageId ?? 0);
      if (asked !== undefined && (asked.qos ?? 0) > 0) this.#granted(asked.filter);
    } else if (packet.cmd === "unsuback") {
      this.#asked.delete(packet.messageId ?? 0);
    } else if (packet.cmd === "publish") {
      this.#published(packet);
    } else if (packet.cmd === "pubrel") {
      this.#owe(packet);
    }
    return true;
  }

  /** Nothing may be missed from here on, unless another change of it has been asked for since. */
  #granted(filter: string): void {
    const isLeaving = [...this.#asked.values()].some(
      (asked) => asked.filter === filter && (asked.qos ?? 0) === 0,
    );
    if (!isLeaving && !this.since.has(filter)) this.since.set(filter, this.now);
  }

  #published(packet: Extract<Packet, { cmd: "publish" }>): void {
    const { qos, dup, messageId = 0 } = packet;
    const key = packet.payload.toString();
    if (qos > 0) {
      this.#inFlight++;
      if (this.#inFlight > this.receiveMaximum) {
        throw new Error(`[MQTT-3.3.4-9] ${this.#inFlight} in flight of ${this.receiveMaximum}`);
      }
    }
    const isRepeated = qos === 2 && this.#received.has(messageId);
    if (qos === 2) this.#received.add(messageId);
    if (!isRepeated) this.got.push({ key, qos, dup });
    if (qos > 0) this.#owe(packet);
  }

  #owe(packet: Packet): void {
    if (this.automatic) this.#answer(packet);
    else this.#owed.push(packet);
  }

  #answer(packet: Packet): void {
    if (this.client.isClosed) return;
    const messageId = packet.messageId ?? 0;
    if (packet.cmd === "pubrel") {
      this.#received.delete(messageId);
      this.#inFlight--;
      this.client.send({ cmd: "pubcomp", messageId });
    } else if (packet.cmd === "publish" && packet.qos === 1) {
      this.#inFlight--;
      this.client.send({ cmd: "puback", messageId });
    } else {
      this.client.send({ cmd: "pubrec", messageId });
    }
  }
}

/** Clients that do anything, in an order that the seed decides. */
export class Schedule {
  readonly sent: Sent[] = [];
  readonly #world: World;
  readonly #random: Random;
  readonly #options: ScheduleOptions;
  readonly #publishers: Publisher[];
  readonly #subscribers: Subscriber[];
  #step = 0;
  #release: (() => void)[] = [];

  private constructor(world: World, random: Random, options: ScheduleOptions) {
    this.#world = world;
    this.#random = random;
    this.#options = options;
    this.#publishers = Array.from(
      { length: options.publishers },
      (_, i) => new Publisher(world, `p${i}`, this.sent, random),
    );
    this.#subscribers = Array.from(
      { length: options.subscribers },
      (_, i) => new Subscriber(world, `s${i}`, random),
    );
  }

  /** Runs it to the end and says what went wrong; nothing if all is well. */
  static async run(seed: number, options: ScheduleOptions): Promise<string[]> {
    const random = seededRandom(seed);
    const world = await World.open({ random: seededRandom(seed + 1) });
    try {
      const schedule = new Schedule(world, random, options);
      for (let step = 1; step <= options.steps; step++) await schedule.#next(step);
      await schedule.#finish();
      return schedule.#judge();
    } finally {
      await world.stop();
    }
  }

  async #next(step: number): Promise<void> {
    this.#step = step;
    for (const subscriber of this.#subscribers) subscriber.now = step;
    const random = this.#random;
    if (this.#options.restarts && randomInt(random, 100) === 0) await this.#restart();
    else if (randomInt(random, 5) < 2) this.#publisherActs(pick(random, this.#publishers));
    else this.#subscriberActs(pick(random, this.#subscribers));
    if (randomInt(random, 12) === 0) this.#holdDisks();
    await this.#world.settle(randomInt(random, 8));
    if (randomInt(random, 10) === 0) await this.#world.pass(randomInt(random, 300), 100);
  }

  #publisherActs(publisher: Publisher): void {
    const random = this.#random;
    if (!publisher.isReady) {
      if (publisher.client.isClosed || randomInt(random, 20) === 0) publisher.connect();
      return;
    }
    if (randomInt(random, 15) === 0) {
      publisher.client.transport.drop();
      return;
    }
    for (let left = 1 + randomInt(random, 8); left > 0; left--) {
      const qos = pick(random, [0, 1, 1, 2, 2] as const);
      publisher.publish(pick(random, TOPICS), qos, randomInt(random, 6) === 0, this.#step);
    }
  }

  #subscriberActs(subscriber: Subscriber): void {
    const random = this.#random;
    if (!subscriber.isReady) {
      if (subscriber.client.isClosed || randomInt(random, 20) === 0) {
        subscriber.connect(1 + randomInt(random, randomBool(random) ? 3 : 40));
      }
      return;
    }
    const { transport } = subscriber.client;
    const action = randomInt(random, 20);
    if (action < 3) {
      const qos = pick(
        random,
        this.#options.changing ? ([0, 1, 1, 2, 2] as const) : ([1, 2] as const),
      );
      subscriber.subscribe(pick(random, FILTERS), qos, 1 + randomInt(random, 100));
    } else if (action === 3) {
      if (this.#options.changing) subscriber.unsubscribe(pick(random, FILTERS));
    } else if (action === 4) {
      transport.drop();
    } else if (action === 5) {
      subscriber.client.send({ cmd: "disconnect" });
    } else if (action === 6) {
      // takes the session over from its own earlier connection [MQTT-3.1.4-3]
      subscriber.connect(1 + randomInt(random, 10));
    } else if (action < 9) {
      transport.slow = randomBool(random);
    } else {
      subscriber.acknowledge(1 + randomInt(random, randomBool(random) ? 3 : 50));
    }
  }

  /** For a few steps nothing gets to a disk. */
  #holdDisks(): void {
    const release = this.#release.shift();
    if (release !== undefined) {
      release();
      return;
    }
    const hold = randomBool(this.#random) ? this.#world.holdDisk() : this.#world.holdLog();
    this.#release.push(hold);
  }

  async #restart(): Promise<void> {
    for (const release of this.#release.splice(0)) release();
    await this.#world.restart();
  }

  /** Everybody comes back, reads and acknowledges until nothing happens any more. */
  async #finish(): Promise<void> {
    for (const release of this.#release.splice(0)) release();
    for (const publisher of this.#publishers) publisher.connect();
    for (const subscriber of this.#subscribers) {
      subscriber.automatic = true;
      subscriber.connect(5 + randomInt(this.#random, 30));
    }
    let before = -1;
    for (let quiet = 0; quiet < 3; ) {
      await this.#world.pass(300, 100);
      const now = this.#subscribers.reduce((sum, { got }) => sum + got.length, 0);
      const isDone = this.#publishers.every((publisher) => publisher.isDone);
      quiet = now === before && isDone ? quiet + 1 : 0;
      before = now;
      if (++this.#step > 100_000) throw new Error("it does not come to an end");
    }
  }

  #judge(): string[] {
    const wrong: string[] = [];
    for (const subscriber of this.#subscribers) this.#judgeOne(subscriber, wrong);
    return wrong;
  }

  #judgeOne({ client, got, since }: Subscriber, wrong: string[]): void {
    const who = client.clientId;
    const seen = new Set(got.map(({ key }) => key));
    for (const sent of this.sent) {
      if (!sent.acknowledged || seen.has(keyOf(sent))) continue;
      const filters = certain(since, sent);
      if (filters.length > 0) wrong.push(`${who} misses ${keyOf(sent)} (${filters.join("; ")})`);
    }
    const twice = new Set<string>();
    for (const { key, qos } of got) {
      if (qos !== 2) continue;
      if (twice.has(key)) wrong.push(`${who} got twice at QoS 2: ${key}`);
      twice.add(key);
    }
    // one that was sent before, and is sent again by its publisher, may come first the second time
    const early = new Set(this.sent.filter((sent) => certain(since, sent).length === 0).map(keyOf));
    judgeOrder(
      who,
      got.filter(({ key }) => !early.has(key)),
      wrong,
    );
  }
}

/** Filters that were certainly subscribed when the message was sent, and still are. */
function certain(since: ReadonlyMap<string, number>, { topic, at }: Sent): string[] {
  return [...since].filter(([filter, from]) => from < at && isMatch(filter, topic)).map(String);
}

/** First arrivals of one publisher, topic and QoS come in the order sent [MQTT-4.6.0-6]. */
function judgeOrder(who: string, got: readonly Got[], wrong: string[]): void {
  const last = new Map<string, number>();
  const seen = new Set<string>();
  for (const { key, qos } of got) {
    if (seen.has(key)) continue;
    seen.add(key);
    const [publisher, topic, sentQos, sequence] = key.split(" ");
    const series = `${publisher} ${topic} ${sentQos} at ${qos}`;
    const before = last.get(series) ?? 0;
    if (Number(sequence) < before) wrong.push(`${who} got ${key} after ${before}, ${series}`);
    last.set(series, Number(sequence));
  }
}

function isMatch(filter: string, topic: string): boolean {
  if (filter === "#") return true;
  if (filter === "a/#") return topic.startsWith("a");
  if (filter === "a/+") return topic.startsWith("a/");
  return filter === topic;
}
