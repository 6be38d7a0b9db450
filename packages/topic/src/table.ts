import { countLevels, validTopicBytes } from "./name.ts";
import { fnv1a, shardOfHash } from "./shard.ts";

/** A topic name that was found valid, with what is derived from it once. */
export class Topic {
  readonly name: string;
  /** The name as it stands in a packet: its length in two bytes, then UTF-8. */
  readonly wire: Buffer;
  /** FNV-1a of the bytes. */
  readonly hash: number;
  readonly shard: number;
  readonly levels: number;

  /** What the gateway matched last, and the trie version that holds for. */
  targets: unknown = undefined;
  targetsVersion = -1;
  /** The same for the owner of the shard. */
  routes: unknown = undefined;
  routesVersion = -1;

  constructor(bytes: Uint8Array, start: number, end: number, hash: number, shards: number) {
    const size = end - start;
    // Not from Buffer's pool: a topic that lives long would hold a whole slab of it.
    this.wire = Buffer.allocUnsafeSlow(2 + size);
    this.wire.writeUInt16BE(size);
    this.wire.set(bytes.subarray(start, end), 2);
    this.name = this.wire.toString("utf8", 2); // [MQTT-1.5.4-3] keeps a U+FEFF
    this.hash = hash;
    this.shard = shardOfHash(hash, shards);
    this.levels = countLevels(this.name);
  }

  /** The name in UTF-8: a view of `wire`. */
  get bytes(): Buffer {
    return this.wire.subarray(2);
  }
}

export interface TopicTableOptions {
  /** Topics and bytes of topic names in one generation; the table keeps two. */
  readonly maxTopics?: number;
  readonly maxBytes?: number;
}

const FIRST_SLOTS = 1024;
/** How far a look-up goes from the slot of its hash: bounds it even when names are made to collide. */
const PROBES = 16;

/** Open addressing with linear probing; at most half full. */
class Generation {
  slots: (Topic | undefined)[] = new Array<Topic | undefined>(FIRST_SLOTS).fill(undefined);
  topics = 0;
  bytes = 0;

  find(bytes: Uint8Array, start: number, end: number, hash: number): Topic | undefined {
    const slots = this.slots;
    const mask = slots.length - 1;
    for (let probe = 0; probe < PROBES; probe++) {
      const topic = slots[(hash + probe) & mask];
      if (topic === undefined) return undefined;
      if (topic.hash === hash && sameName(topic.wire, bytes, start, end)) return topic;
    }
    return undefined;
  }

  insert(topic: Topic): void {
    if (this.topics * 2 >= this.slots.length) this.#grow();
    this.#place(topic);
    this.topics++;
    this.bytes += topic.wire.length;
  }

  /** With no free slot within reach, the newcomer takes the place of another. */
  #place(topic: Topic): void {
    const mask = this.slots.length - 1;
    let probe = 0;
    while (probe < PROBES - 1 && this.slots[(topic.hash + probe) & mask] !== undefined) probe++;
    this.slots[(topic.hash + probe) & mask] = topic;
  }

  #grow(): void {
    const old = this.slots;
    this.slots = new Array<Topic | undefined>(old.length * 2).fill(undefined);
    for (const topic of old) if (topic !== undefined) this.#place(topic);
  }
}

/**
 * Topics by the bytes of their names: a name seen before costs a hash and a comparison, no string.
 *
 * Bounded: when a generation is full a new one begins, the one before is kept and a hit moves the
 * topic on; what was not asked for during a whole generation is forgotten. A forgotten name comes
 * back as another object, so names, not Topics, are what may be compared.
 */
export class TopicTable {
  readonly shards: number;
  readonly #maxTopics: number;
  readonly #maxBytes: number;
  #current = new Generation();
  #previous = new Generation();

  constructor(shards: number, options: TopicTableOptions = {}) {
    this.shards = shards;
    this.#maxTopics = options.maxTopics ?? 100_000;
    this.#maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
  }

  /** The topic whose name is bytes[start, end); undefined when that is no valid topic name. */
  intern(bytes: Uint8Array, start: number, end: number): Topic | undefined {
    const hash = fnv1a(bytes, start, end);
    const known = this.#current.find(bytes, start, end, hash);
    if (known !== undefined) return known;
    return this.#promote(bytes, start, end, hash) ?? this.#create(bytes, start, end, hash);
  }

  internString(name: string): Topic | undefined {
    // Buffer.from would turn a lone surrogate into U+FFFD, another topic.
    if (!name.isWellFormed()) return undefined;
    const bytes = Buffer.from(name);
    return this.intern(bytes, 0, bytes.length);
  }

  #promote(bytes: Uint8Array, start: number, end: number, hash: number): Topic | undefined {
    const topic = this.#previous.find(bytes, start, end, hash);
    if (topic !== undefined) this.#insert(topic);
    return topic;
  }

  #create(bytes: Uint8Array, start: number, end: number, hash: number): Topic | undefined {
    if (!validTopicBytes(bytes, start, end)) return undefined;
    const topic = new Topic(bytes, start, end, hash, this.shards);
    this.#insert(topic);
    return topic;
  }

  #insert(topic: Topic): void {
    const { topics, bytes } = this.#current;
    if (topics >= this.#maxTopics || bytes >= this.#maxBytes) {
      this.#previous = this.#current;
      this.#current = new Generation();
    }
    this.#current.insert(topic);
  }
}

function sameName(wire: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
  if (wire.length - 2 !== end - start) return false;
  for (let i = start, w = 2; i < end; i++, w++) if (wire[w] !== bytes[i]) return false;
  return true;
}
