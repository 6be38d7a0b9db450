/** What one publisher sends: one topic at one QoS, the unit in which order is promised. */
export interface Lane {
  readonly id: number;
  readonly topic: string;
  readonly qos: 1 | 2;
  /** Messages so far. */
  published: number;
  /** Those that were sent more than once: a broker may have stored them at QoS 1 as often. */
  readonly repeated: Set<number>;
}

const SIZE = 32;
const KEPT = 20;

interface Receiver {
  readonly isOrdered: boolean;
  /** How often each message came, by lane. */
  readonly counts: Uint8Array[];
  readonly highest: number[];
  /** Different messages. */
  distinct: number;
}

/** Who published and received what: the testkit's Ledger for more messages than that is made for. */
export class Account {
  readonly lanes: Lane[] = [];
  readonly #receivers = new Map<string, Receiver>();
  readonly #wrong: string[] = [];
  #wrongs = 0;
  acknowledged = 0;
  /** Messages that came once more. */
  repeated = 0;
  /** Connections have been lost, so QoS 1 messages may come again. */
  mayRepeat = false;
  /** Limits of queues drop messages: of one that was sent twice perhaps only the first. */
  mayDrop = false;

  lane(topic: string, qos: 1 | 2): Lane {
    const lane = { id: this.lanes.length, topic, qos, published: 0, repeated: new Set<number>() };
    this.lanes.push(lane);
    return lane;
  }

  /** From now on it gets everything. Members of a group get it in no common order. */
  receiver(name: string, isOrdered: boolean): void {
    const counts = this.lanes.map(() => new Uint8Array(1024));
    const highest = this.lanes.map(() => -1);
    this.#receivers.set(name, { isOrdered, counts, highest, distinct: 0 });
  }

  /** Lane, sequence and a check over them; then a pattern. */
  payload(lane: Lane, sequence: number): Buffer {
    const bytes = Buffer.alloc(SIZE, sequence & 255);
    bytes.writeUInt32LE(lane.id, 0);
    bytes.writeUInt32LE(sequence, 4);
    bytes.writeUInt32LE(check(lane.id, sequence), 8);
    return bytes;
  }

  receive(name: string, topic: string, payload: Buffer): void {
    const receiver = this.#receivers.get(name);
    const lane = payload.length === SIZE ? this.lanes[payload.readUInt32LE(0)] : undefined;
    if (receiver === undefined || lane === undefined) return this.wrong(`${name}: whose is it?`);
    const sequence = payload.readUInt32LE(4);
    const what = `${name}: lane ${lane.id} (QoS ${lane.qos}) ${sequence}`;
    const isIntact = payload.equals(this.payload(lane, sequence));
    if (!isIntact || topic !== lane.topic) return this.wrong(`${what} is damaged`);
    if (sequence >= lane.published) return this.wrong(`${what} was never published`);
    this.#count(receiver, lane, sequence, what);
  }

  wrong(what: string): void {
    this.#wrongs++;
    if (this.#wrong.length < KEPT) this.#wrong.push(what);
  }

  /** The first of what no broker may do. */
  get faults(): readonly string[] {
    const more = this.#wrongs - this.#wrong.length;
    return more > 0 ? [...this.#wrong, `and ${more} more`] : this.#wrong;
  }

  received(name: string): number {
    return this.#receivers.get(name)?.distinct ?? 0;
  }

  get published(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.published, 0);
  }

  /** Messages that have not come, over all receivers. */
  get missing(): number {
    const all = [...this.#receivers.values()];
    return all.reduce((sum, { distinct }) => sum + this.published - distinct, 0);
  }

  /** Of each lane the last message, where it has not come: no limit drops it if few come behind it. */
  get missingLast(): number {
    const last = this.lanes.filter(({ published }) => published > 0);
    const isThere = ({ counts }: Receiver, { id, published }: Lane) =>
      (counts[id]?.[published - 1] ?? 0) > 0;
    const all = [...this.#receivers.values()];
    return all.reduce((sum, one) => sum + last.filter((lane) => !isThere(one, lane)).length, 0);
  }

  /** Some of them, by name. */
  describeMissing(): string[] {
    return [...this.#receivers].flatMap(([name, { counts }]) =>
      this.lanes.flatMap(({ id, qos, published }) => {
        const here = counts[id]?.subarray(0, published) ?? [];
        const lost = [...here.entries()].filter(([, count]) => count === 0).map(([seq]) => seq);
        const never = published - here.length;
        if (lost.length + never === 0) return [];
        const some = lost.slice(0, 5).join();
        return [`${name}: lane ${id} (QoS ${qos}) lacks ${lost.length + never} (${some} …)`];
      }),
    );
  }

  #count(receiver: Receiver, lane: Lane, sequence: number, what: string): void {
    const counts = roomFor(receiver.counts, lane.id, sequence);
    const count = (counts[sequence] ?? 0) + 1;
    counts[sequence] = Math.min(count, 255);
    if (count > 1) {
      this.repeated++;
      if (lane.qos === 2 || !this.mayRepeat) this.wrong(`${what} came ${count} times`);
      return;
    }
    receiver.distinct++;
    const highest = receiver.highest[lane.id] ?? -1;
    if (sequence > highest) receiver.highest[lane.id] = sequence;
    else if (receiver.isOrdered && !this.#isSecond(lane, sequence))
      this.wrong(`${what} came after ${highest}`);
  }

  /** It comes in the place of what its publisher sent again, as the first of the two was dropped. */
  #isSecond({ qos, repeated }: Lane, sequence: number): boolean {
    return this.mayDrop && qos === 1 && repeated.has(sequence);
  }
}

function roomFor(all: Uint8Array[], lane: number, sequence: number): Uint8Array {
  const counts = all[lane] ?? new Uint8Array(0);
  if (sequence < counts.length) return counts;
  const grown = new Uint8Array(Math.max(sequence + 1, counts.length * 2));
  grown.set(counts);
  all[lane] = grown;
  return grown;
}

function check(lane: number, sequence: number): number {
  return Math.imul(Math.imul(lane + 1, 0x9e3779b1) ^ sequence, 0x85ebca6b) >>> 0;
}
