import { Client } from "./client.ts";
import type { Commands, LoadSpec } from "./commands.ts";
import { inParallel } from "./in-parallel.ts";
import { Load, type LoadResult, type Mark } from "./load.ts";
import { Publisher } from "./publisher.ts";
import { Expected } from "./received.ts";
import { Subscriber } from "./subscriber.ts";
import type { Turn } from "./turn.ts";

const CONNECTS_AT_ONCE = 50;
const SESSION_EXPIRY = 3600;
const LOOKS = 5;
/** A broker that stands still for so long will not go on. */
const STUCK_AFTER = 10_000;

/** The load of one measurement: its connections, in this process. */
export class LoadRun {
  readonly #spec: LoadSpec;
  readonly #turn: Turn;
  readonly #load: Load;
  readonly #subscriberNumbers: readonly number[];
  #subscriberClients: Client[] = [];
  #publisherClients: Client[] = [];

  private constructor(spec: LoadSpec, turn: Turn) {
    this.#spec = spec;
    this.#turn = turn;
    this.#load = new Load(spec.run);
    this.#subscriberNumbers = this.#mine(spec.subscribers);
  }

  static async prepare(spec: LoadSpec, turn: Turn): Promise<LoadRun> {
    const run = new LoadRun(spec, turn);
    turn.coalesce = 0;
    await run.#makeSubscribers();
    await run.#makePublishers();
    return run;
  }

  start(): void {
    this.#turn.coalesce = this.#spec.coalesce;
    this.#load.start(this.#spec.rate > 0);
  }

  mark(): Mark {
    return this.#load.mark();
  }

  beginWindow(): Mark {
    return this.#load.beginWindow();
  }

  endWindow(): Mark {
    return this.#load.endWindow();
  }

  stop(): void {
    this.#load.stop();
  }

  async answered(): Promise<Mark> {
    let moved = performance.now();
    let before = -1;
    while (!this.#load.answered && performance.now() - moved < STUCK_AFTER) {
      const { acked } = this.#load.counters;
      if (acked !== before) moved = performance.now();
      before = acked;
      await new Promise((resolve) => setTimeout(resolve, LOOKS));
    }
    return this.mark();
  }

  async closeSubscribers(): Promise<void> {
    await Promise.all(this.#subscriberClients.map((client) => client.close()));
  }

  async reopenSubscribers(): Promise<void> {
    const clients = this.#subscriberNumbers.map((number) => this.#subscriberClient(number));
    clients.forEach((client, i) => {
      this.#load.subscribers[i]?.moveTo(client);
    });
    this.#subscriberClients = clients;
    await inParallel(clients.length, CONNECTS_AT_ONCE, async (i) => {
      const isPresent = await clients[i]?.connect();
      if (isPresent !== true) throw new Error("the session is not present");
    });
  }

  async drain({ idle, most }: Commands["drain"]["ask"]): Promise<LoadResult> {
    return this.#load.drain(idle, most);
  }

  async end(): Promise<void> {
    this.#turn.coalesce = 0;
    this.#load.stop();
    await Promise.all(
      [...this.#publisherClients, ...this.#subscriberClients].map((client) => client.close()),
    );
  }

  async #makeSubscribers(): Promise<void> {
    const { share, qos, size, prefix } = this.#spec;
    const byTopic = new Map<number, Expected>();
    for (const number of this.#subscriberNumbers) {
      const topic = number % this.#spec.topics;
      const expected =
        (share === undefined ? undefined : byTopic.get(topic)) ?? this.#expectedAt(topic);
      byTopic.set(topic, expected);
      const client = this.#subscriberClient(number);
      this.#subscriberClients.push(client);
      this.#load.subscribers.push(new Subscriber(client, this.#load, expected, qos, size));
    }
    await inParallel(this.#subscriberClients.length, CONNECTS_AT_ONCE, async (i) => {
      const client = this.#subscriberClients[i];
      const topic = (this.#subscriberNumbers[i] ?? 0) % this.#spec.topics;
      const name = `${prefix}/${topic}`;
      await client?.connect();
      await client?.subscribe([share === undefined ? name : `$share/${share}/${name}`], qos);
    });
  }

  async #makePublishers(): Promise<void> {
    const { prefix, qos, size, window, rate, limit, share } = this.#spec;
    for (const number of this.#mine(this.#spec.publishers)) {
      const topic = number % this.#spec.topics;
      const onTopic = this.#subscriberNumbers.filter((n) => n % this.#spec.topics === topic).length;
      const client = this.#client(`p${number}`, false);
      this.#publisherClients.push(client);
      const publisher = new Publisher(client, {
        load: this.#load,
        id: this.#load.publishers.length,
        qos,
        size,
        retain: false,
        topic: `${prefix}/${topic}`,
        fan: share === undefined ? onTopic : 1,
        window,
        rate,
        limit: limit ?? Number.POSITIVE_INFINITY,
      });
      this.#load.publishers.push(publisher);
    }
    await inParallel(this.#publisherClients.length, CONNECTS_AT_ONCE, async (i) => {
      await this.#publisherClients[i]?.connect();
    });
  }

  /** Those of `count` whose topic is this process's. */
  #mine(count: number): number[] {
    const { topics, index, processes } = this.#spec;
    return Array.from({ length: count }, (_, i) => i).filter(
      (i) => (i % topics) % processes === index,
    );
  }

  /** What a subscriber of this topic gets; publishers are numbered in the order of `#mine`. */
  #expectedAt(topic: number): Expected {
    const expected = new Expected();
    this.#mine(this.#spec.publishers).forEach((number, id) => {
      if (number % this.#spec.topics === topic) expected.expect(id);
    });
    this.#load.expected.push(expected);
    return expected;
  }

  #subscriberClient(number: number): Client {
    return this.#client(`s${number}`, this.#spec.durable);
  }

  #client(name: string, durable: boolean): Client {
    const { host, port, version, prefix } = this.#spec;
    return new Client(
      {
        host,
        port,
        version,
        clientId: `${prefix}-${name}`,
        clean: !durable,
        expiry: durable ? SESSION_EXPIRY : 0,
        keepAlive: 0,
      },
      this.#turn,
    );
  }
}
