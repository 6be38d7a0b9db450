import { Client } from "./client.ts";
import type { CollectSpec, ConnectSpec, FillSpec, PublishSpec, Took } from "./commands.ts";
import { inParallel } from "./in-parallel.ts";
import { Load } from "./load.ts";
import { Publisher } from "./publisher.ts";
import type { Turn } from "./turn.ts";

const LOOKS = 2;
const STUCK_AFTER = 30_000;
/** Filters in one SUBSCRIBE. */
const FILTERS_PER_PACKET = 500;
const SESSION_EXPIRY = 86_400;
/** Connections from one loopback address; the system has about 28,000 ports for each. */
const PER_ADDRESS = 10_000;
const ADDRESSES = 200;

/** Fills in `{i}`, `{i/N}` (rounded down) and `{i%N}`. */
export function fillIn(template: string, i: number): string {
  return template.replaceAll(/\{i(?:([/%])(\d+))?\}/g, (_, sign: string | undefined, n: string) => {
    if (sign === undefined) return String(i);
    return String(sign === "/" ? Math.floor(i / Number(n)) : i % Number(n));
  });
}

/** Connections and messages in great number, beside a load. */
export class Bulk {
  readonly #turn: Turn;
  #open: Client[] = [];

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  async connect(spec: ConnectSpec): Promise<Took> {
    return timed(async () => {
      await inParallel(spec.count, spec.concurrency, async (i) => {
        const client = this.#client(spec, spec.from + i, false);
        this.#open.push(client);
        await client.connect();
      });
    });
  }

  async fill(spec: FillSpec): Promise<Took> {
    return timed(async () => {
      await inParallel(spec.count, spec.concurrency, async (i) => {
        const number = spec.from + i;
        const client = this.#client(spec, number, spec.durable);
        await client.connect();
        const each = spec.filtersPerClient;
        for (let done = 0; done < each; done += FILTERS_PER_PACKET) {
          const length = Math.min(FILTERS_PER_PACKET, each - done);
          const first = number * each + done;
          const filters = Array.from({ length }, (_, k) => fillIn(spec.filter, first + k));
          await client.subscribe(filters, spec.qos);
        }
        if (spec.leave) await client.close();
        else this.#open.push(client);
      });
    });
  }

  async closeAll(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    await inParallel(open.length, 200, async (i) => open[i]?.close());
  }

  async publish(spec: PublishSpec): Promise<Took> {
    const load = new Load(1);
    const clients: Client[] = [];
    for (let id = 0; id < spec.clients; id++) {
      const client = this.#client(spec, id, false);
      const first = Math.floor((spec.count * id) / spec.clients);
      const end = Math.floor((spec.count * (id + 1)) / spec.clients);
      const publisher = new Publisher(client, {
        load,
        id,
        qos: spec.qos,
        size: spec.size,
        retain: spec.retain,
        topic: (sequence) => fillIn(spec.topic, spec.from + first + sequence),
        fan: 1,
        window: spec.window,
        rate: 0,
        limit: end - first,
      });
      load.publishers.push(publisher);
      clients.push(client);
      await client.connect();
    }
    const took = await timed(async () => {
      load.start(false);
      await until(
        () => load.answered,
        () => load.counters.acked,
      );
    });
    load.stop();
    await load.drain(0, 0);
    await Promise.all(clients.map((client) => client.close()));
    const { refused } = load.counters;
    if (refused > 0) throw new Error(`${refused} messages were refused`);
    return took;
  }

  async collect(spec: CollectSpec): Promise<Took> {
    const client = this.#client(spec, spec.from, false);
    let count = 0;
    client.role = {
      publish: (_bytes, first, packetId) => {
        if ((first & 2) !== 0) client.appendAck(4, packetId);
        count++;
      },
      ack: () => {},
      endTurn: () => {},
      lost: (reason) => {
        throw new Error(reason);
      },
    };
    await client.connect();
    const took = await timed(async () => {
      await client.subscribe([spec.filter], spec.qos);
      await until(
        () => count >= spec.messages,
        () => count,
      );
    });
    await client.close();
    return took;
  }

  #client(spec: ConnectSpec, number: number, durable: boolean): Client {
    const { host, port, version, prefix } = spec;
    const address = 1 + (Math.floor(number / PER_ADDRESS) % ADDRESSES);
    return new Client(
      {
        host,
        port,
        version,
        clientId: `${prefix}-${number}`,
        clean: !durable,
        expiry: durable ? SESSION_EXPIRY : 0,
        keepAlive: 0,
        localAddress: address > 1 ? `127.0.0.${address}` : undefined,
      },
      this.#turn,
    );
  }
}

async function timed(work: () => Promise<void>): Promise<Took> {
  const start = performance.now();
  await work();
  return { seconds: (performance.now() - start) / 1000 };
}

/** Waits for the condition as long as the number moves. */
async function until(condition: () => boolean, progress: () => number): Promise<void> {
  let moved = performance.now();
  let before = -1;
  while (!condition()) {
    const now = progress();
    if (now !== before) moved = performance.now();
    before = now;
    if (performance.now() - moved > STUCK_AFTER) throw new Error(`nothing moves after ${now}`);
    await new Promise((resolve) => setTimeout(resolve, LOOKS));
  }
}
