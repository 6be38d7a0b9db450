/** One message of a Ledger at one subscriber. */
export interface Entry {
  readonly subscriber: string;
  readonly publisher: string;
  readonly seq: number;
}

export interface LedgerReport {
  readonly published: number;
  readonly acknowledged: number;
  readonly received: number;
  /** Acknowledged to the publisher and expected by the subscriber, but not received. */
  readonly lost: readonly Entry[];
  /** Received once more, each time it was. At QoS 1 that is allowed after a reconnect. */
  readonly duplicated: readonly Entry[];
  /** First received after a later one of the same publisher. */
  readonly outOfOrder: readonly Entry[];
  /** Received, but never published, or before the subscriber was to get any. */
  readonly unexpected: readonly Entry[];
}

interface Publisher {
  published: number;
  readonly acknowledged: Set<number>;
}

interface Subscriber {
  /** Whose messages it is to get; undefined: everybody's. */
  readonly from: ReadonlySet<string> | undefined;
  /** The first message that it is to get, by publisher; 0 for those that are not in here. */
  readonly start: ReadonlyMap<string, number>;
  readonly counts: Map<string, Map<number, number>>;
  readonly highest: Map<string, number>;
}

const payloadForm = /^(.+) (\d+)(?: x*)?$/;

/**
 * Keeps account of who published what and who received it, to tell afterwards what was lost, came
 * twice or in the wrong order. Order is promised per topic and QoS [MQTT-4.6.0-5], so a publisher
 * here is a name for one client, topic and QoS.
 */
export class Ledger {
  readonly #publishers = new Map<string, Publisher>();
  readonly #subscribers = new Map<string, Subscriber>();
  readonly #duplicated: Entry[] = [];
  readonly #outOfOrder: Entry[] = [];
  readonly #unexpected: Entry[] = [];
  #received = 0;

  /** The next payload of this publisher, at least `size` bytes long. */
  publish(publisher: string, size = 0): Buffer {
    const known = this.#publisher(publisher);
    const text = `${publisher} ${known.published++}`;
    return Buffer.from(text.length < size ? `${text} `.padEnd(size, "x") : text);
  }

  /** The broker has taken responsibility for it (PUBACK, PUBREC without an error). */
  acknowledge(payload: Uint8Array): void {
    const { publisher, seq } = read(payload);
    this.#publisher(publisher).acknowledged.add(seq);
  }

  /** From now on the subscriber is to get what these publishers publish; without names: all do. */
  subscribe(subscriber: string, publishers?: readonly string[]): void {
    const start = [...this.#publishers].map(([name, known]) => [name, known.published] as const);
    this.#subscribers.set(subscriber, {
      from: publishers && new Set(publishers),
      start: new Map(start),
      counts: new Map(),
      highest: new Map(),
    });
  }

  receive(subscriber: string, payload: Uint8Array): void {
    const known = this.#subscribers.get(subscriber);
    if (known === undefined) throw new Error(`no subscriber "${subscriber}" in the ledger`);
    const { publisher, seq } = read(payload);
    const entry = { subscriber, publisher, seq };
    this.#received++;
    const counts = known.counts.get(publisher) ?? new Map<number, number>();
    known.counts.set(publisher, counts);
    const count = (counts.get(seq) ?? 0) + 1;
    counts.set(seq, count);
    if (count > 1) {
      this.#duplicated.push(entry);
      return;
    }
    const published = this.#publishers.get(publisher)?.published ?? 0;
    if (!expects(known, publisher, seq) || seq >= published) this.#unexpected.push(entry);
    const highest = known.highest.get(publisher) ?? -1;
    if (seq < highest) this.#outOfOrder.push(entry);
    else known.highest.set(publisher, seq);
  }

  /** How many acknowledged messages have not reached a subscriber: 0 when nothing is to be waited for. */
  get missing(): number {
    return [...this.#missing()].length;
  }

  report(): LedgerReport {
    const publishers = [...this.#publishers.values()];
    return {
      published: publishers.reduce((sum, { published }) => sum + published, 0),
      acknowledged: publishers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
      received: this.#received,
      lost: [...this.#missing()],
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder,
      unexpected: this.#unexpected,
    };
  }

  #publisher(name: string): Publisher {
    if (/\n/.test(name) || name === "") throw new Error("a publisher has a name of one line");
    const known = this.#publishers.get(name) ?? { published: 0, acknowledged: new Set() };
    this.#publishers.set(name, known);
    return known;
  }

  *#missing(): Generator<Entry> {
    for (const [subscriber, known] of this.#subscribers) {
      for (const [publisher, { acknowledged }] of this.#publishers) {
        const counts = known.counts.get(publisher);
        for (const seq of acknowledged) {
          const isMissing = !counts?.has(seq) && expects(known, publisher, seq);
          if (isMissing) yield { subscriber, publisher, seq };
        }
      }
    }
  }
}

function expects({ from, start }: Subscriber, publisher: string, seq: number): boolean {
  return (from?.has(publisher) ?? true) && seq >= (start.get(publisher) ?? 0);
}

function read(payload: Uint8Array): { publisher: string; seq: number } {
  const text = Buffer.from(payload).toString();
  const [, publisher, seq] = payloadForm.exec(text) ?? [];
  if (publisher === undefined) throw new Error(`not a payload of the ledger: ${text.slice(0, 80)}`);
  return { publisher, seq: Number(seq) };
}
