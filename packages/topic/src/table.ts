import { Generation, NameKey } from "./generation.ts";
import { MAX_STRING_BYTES, validTopicBytes } from "./name.ts";
import { Topic } from "./topic.ts";

export interface TopicTableOptions {
  /** Topics in one generation; the table keeps two. */
  readonly maxTopics?: number;
  /** Bytes of topic names in one generation. */
  readonly maxBytes?: number;
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
  readonly #key = new NameKey();
  #current = new Generation();
  #previous = new Generation();

  constructor(shards: number, options: TopicTableOptions = {}) {
    this.shards = shards;
    this.#maxTopics = options.maxTopics ?? 100_000;
    this.#maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
  }

  /** The topic whose name is bytes[start, end); undefined when that is no valid topic name. */
  intern(bytes: Uint8Array, start: number, end: number): Topic | undefined {
    // [MQTT-4.7.3-1] and [MQTT-4.7.3-3]; the key has no room for more.
    if (end <= start || end - start > MAX_STRING_BYTES) return undefined;
    const key = this.#key;
    key.load(bytes, start, end);
    return this.#current.find(key) ?? this.#promote() ?? this.#create(bytes, start, end);
  }

  internString(name: string): Topic | undefined {
    // Buffer.from would turn a lone surrogate into U+FFFD, another topic.
    if (!name.isWellFormed()) return undefined;
    const bytes = Buffer.from(name);
    return this.intern(bytes, 0, bytes.length);
  }

  #promote(): Topic | undefined {
    const topic = this.#previous.find(this.#key);
    if (topic !== undefined) this.#insert(topic);
    return topic;
  }

  #create(bytes: Uint8Array, start: number, end: number): Topic | undefined {
    if (!validTopicBytes(bytes, start, end)) return undefined;
    const topic = new Topic(bytes, start, end, this.shards);
    this.#insert(topic);
    return topic;
  }

  #insert(topic: Topic): void {
    const { size, bytes } = this.#current;
    if (size >= this.#maxTopics || bytes >= this.#maxBytes) {
      this.#previous = this.#current;
      this.#current = new Generation(this.#previous);
    }
    this.#current.insert(this.#key, topic);
  }
}
