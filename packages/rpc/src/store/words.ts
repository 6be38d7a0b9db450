/** What a gateway tells a store process beside its batches, in the order in which it says it. */
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import type { InterestChange, Offset, Returned, Shards, ShareMember } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import { TO_STORE } from "./batch.ts";
import { topicOf } from "./record.ts";

const WORD = {
  register: 1,
  unregister: 2,
  known: 3,
  resume: 4,
  interests: 5,
  join: 6,
  leave: 7,
  holds: 8,
  settle: 9,
  forget: 10,
  settleDurably: 11,
} as const;

const ADDED = 1;
const TRANSIENT = 2;
const DURABLE = 1;

/** A message is ended at about so many bytes, as others wait behind it. */
const LONG: number = 32 << 10;

type Places = readonly { readonly shard: number; readonly offset: Offset }[];

/** Gathers what is said in one turn, as messages. */
export class Words {
  readonly #writer = new ByteWriter();
  readonly #messages: Buffer[] = [];

  register(gateway: number): void {
    this.#begin(WORD.register, gateway);
  }

  unregister(): void {
    this.#begin(WORD.unregister);
  }

  known(version: number): void {
    this.#begin(WORD.known, version);
  }

  resume(shard: number, epoch: number, seq: number): void {
    this.#begin(WORD.resume, shard, epoch, seq);
  }

  interests(request: number, changes: readonly InterestChange[]): void {
    let from = 0;
    let size = 0;
    for (let i = 0; i < changes.length; i++) {
      size += (changes[i] as InterestChange).filter.length;
      if (size < LONG) continue;
      this.#interests(0, changes.slice(from, i));
      this.#end();
      from = i;
      size = 0;
    }
    this.#interests(request, from === 0 ? changes : changes.slice(from));
  }

  #interests(request: number, changes: readonly InterestChange[]): void {
    const writer = this.#begin(WORD.interests, request, changes.length);
    for (const { filter, add, transient } of changes) {
      writer.u8((add ? ADDED : 0) | (transient ? TRANSIENT : 0));
      writer.string(filter);
    }
  }

  join(member: ShareMember): void {
    const writer = this.#begin(WORD.join, member.member);
    writer.string(member.filter);
    writer.u8(member.durable ? DURABLE : 0);
    writer.u8(member.qos);
    writer.string(member.clientId);
    writer.varint(member.window);
  }

  leave(member: number, keep: Places, returned: readonly Returned[]): void {
    const writer = this.#begin(WORD.leave, member, keep.length);
    for (const { shard, offset } of keep) {
      writer.varint(shard);
      writer.varint(offset);
    }
    writer.varint(returned.length);
    for (const { filter, record } of returned) {
      writer.string(filter);
      writer.bytes(record);
    }
  }

  holds(member: number, shard: number, offsets: readonly Offset[]): void {
    const writer = this.#begin(WORD.holds, member, shard, offsets.length);
    for (const offset of offsets) writer.varint(offset);
  }

  settle(member: number, shard: number, offset: Offset): void {
    this.#begin(WORD.settle, member, shard, offset);
  }

  forget(request: number, shard: number, session: number, key: number): void {
    this.#begin(WORD.forget, request, shard, session, key);
  }

  settleDurably(request: number, filter: string, shard: number, offset: Offset): void {
    const writer = this.#begin(WORD.settleDurably, request);
    writer.string(filter);
    writer.varint(shard);
    writer.varint(offset);
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0 && this.#writer.length === 0;
  }

  /** What was gathered. */
  take(): Buffer[] {
    this.#end();
    return this.#messages.splice(0);
  }

  #begin(word: number, ...numbers: number[]): ByteWriter {
    const writer = this.#writer;
    if (writer.length > LONG) this.#end();
    if (writer.length === 0) writer.u8(TO_STORE.words);
    writer.u8(word);
    for (const number of numbers) writer.varint(number);
    return writer;
  }

  #end(): void {
    if (this.#writer.length > 0) this.#messages.push(this.#writer.take());
  }
}

/** Who is told; requests are answered by whoever takes them. */
export interface WordsSink
  extends Pick<Required<Shards>, "known" | "resume" | "join" | "leave" | "holds" | "settle"> {
  readonly topics: TopicTable;
  /** Of whom is spoken; 0: of nobody. */
  readonly gateway: number;
  register(gateway: number): void;
  unregister(): void;
  interests(request: number, changes: readonly InterestChange[]): void;
  forget(request: number, shard: number, session: number, key: number): void;
  settleDurably(request: number, filter: string, shard: number, offset: Offset): void;
}

/** Reads the messages of one gateway's link. */
export class WordsReader {
  readonly #sink: WordsSink;
  /** The beginning of a list that goes on. */
  #changes: InterestChange[] = [];

  constructor(sink: WordsSink) {
    this.#sink = sink;
  }

  /** @throws DecodeError; what comes before the mistake has been said. */
  read(message: Buffer): void {
    const reader = new ByteReader(message, 1);
    while (reader.remaining > 0) this.#word(reader);
  }

  #word(reader: ByteReader): void {
    const sink = this.#sink;
    const word = reader.u8();
    if (word === WORD.register) {
      this.#changes = [];
      sink.register(reader.varint());
      return;
    }
    switch (word) {
      case WORD.unregister:
        sink.unregister();
        break;
      case WORD.forget:
        sink.forget(reader.varint(), reader.varint(), reader.varint(), reader.varint());
        break;
      case WORD.settleDurably:
        sink.settleDurably(reader.varint(), reader.string(), reader.varint(), reader.varint());
        break;
      default:
        this.#ofGateway(word, reader);
    }
  }

  #ofGateway(word: number, reader: ByteReader): void {
    const sink = this.#sink;
    const { gateway } = sink;
    if (gateway === 0) throw new DecodeError("nobody has registered");
    switch (word) {
      case WORD.known:
        sink.known(gateway, reader.varint());
        break;
      case WORD.resume:
        sink.resume(gateway, reader.varint(), reader.varint(), reader.varint());
        break;
      case WORD.interests:
        this.#interests(reader);
        break;
      case WORD.join:
        sink.join(gateway, readMember(reader));
        break;
      case WORD.leave:
        sink.leave(gateway, reader.varint(), readPlaces(reader), this.#returned(reader));
        break;
      case WORD.holds:
        sink.holds(gateway, reader.varint(), reader.varint(), readOffsets(reader));
        break;
      case WORD.settle:
        sink.settle(gateway, reader.varint(), reader.varint(), reader.varint());
        break;
      default:
        throw new DecodeError(`no such word: ${word}`);
    }
  }

  #interests(reader: ByteReader): void {
    const request = reader.varint();
    for (let left = reader.varint(); left > 0; left--) {
      const flags = reader.u8();
      const filter = reader.string();
      const change = { filter, add: isSet(flags, ADDED), transient: isSet(flags, TRANSIENT) };
      this.#changes.push(change);
    }
    if (request === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    this.#sink.interests(request, changes);
  }

  #returned(reader: ByteReader): Returned[] {
    const returned: Returned[] = [];
    for (let left = reader.varint(); left > 0; left--) {
      const filter = reader.string();
      const record = reader.bytes();
      const topic = topicOf(this.#sink.topics, record, 0, record.length);
      returned.push({ filter, record, topic });
    }
    return returned;
  }
}

function isSet(flags: number, flag: number): boolean {
  return (flags & flag) !== 0;
}

function readMember(reader: ByteReader): ShareMember {
  const member = reader.varint();
  const filter = reader.string();
  const durable = isSet(reader.u8(), DURABLE);
  const qos = reader.u8();
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new DecodeError(`QoS ${qos}`);
  return { member, filter, durable, qos, clientId: reader.string(), window: reader.varint() };
}

function readPlaces(reader: ByteReader): { shard: number; offset: Offset }[] {
  const places: { shard: number; offset: Offset }[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    places.push({ shard: reader.varint(), offset: reader.varint() });
  }
  return places;
}

function readOffsets(reader: ByteReader): Offset[] {
  const offsets: Offset[] = [];
  for (let left = reader.varint(); left > 0; left--) offsets.push(reader.varint());
  return offsets;
}
