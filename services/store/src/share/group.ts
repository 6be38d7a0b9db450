import type { Offset, ReadLimits, ReadResult, Records, StoredMessage } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import type { GatewayLink } from "../link.ts";
import { Queue } from "../queue.ts";
import type { Member } from "./member.ts";
import { GroupReader } from "./reader.ts";
import type { Candidate, Strategy } from "./strategy.ts";

/** What groups need of their surroundings. */
export interface GroupParts {
  read(shard: number, queue: string, after: Offset, limits: ReadLimits): Promise<ReadResult>;
  /** The topic of a stored message; undefined if it has expired. */
  open(message: StoredMessage): Topic | undefined;
  /** Everything is known that has to be before anything is dispatched. */
  isReady(shard: number): boolean;
  /** Under which this process owns the shard. */
  epoch(shard: number): number;
  /** The reader's progress is to be written, sooner or later. */
  changed(reader: GroupReader, group: Group): void;
  failed(error: unknown, queue: string, shard: number): void;
  /** A message for which nobody was left. */
  undispatched(): void;
}

/** A shared subscription: `$share/{ShareName}/{filter}`. */
export class Group {
  /** With `$share/…`; also the name of its queue. */
  readonly name: string;
  /** Without. */
  readonly filter: string;
  /** A durable session has it. */
  hasRoute = false;
  /** Attachments of live gateways that ended: their members may come back. */
  readonly away: Set<GatewayLink> = new Set();
  readonly #parts: GroupParts;
  readonly #strategy: Strategy;
  readonly #members: Member[] = [];
  readonly #readers = new Map<number, GroupReader>();
  #queue: Queue | undefined;
  #choices = 0;
  /** Members with room, kept up to date so that asking costs nothing. */
  #withRoom = 0;

  constructor(name: string, filter: string, strategy: Strategy, parts: GroupParts) {
    this.name = name;
    this.filter = filter;
    this.#strategy = strategy;
    this.#parts = parts;
  }

  /** Where messages of QoS ≥ 1 are stored for it; undefined if they go straight to members. */
  get queue(): Queue | undefined {
    return this.#queue;
  }

  get hasMembers(): boolean {
    return this.#members.length > 0;
  }

  get hasRoom(): boolean {
    return this.#withRoom > 0;
  }

  get readers(): Iterable<GroupReader> {
    return this.#readers.values();
  }

  /** Everything that was stored for it is finished. */
  get isDrained(): boolean {
    for (const reader of this.#readers.values()) if (!reader.isDone) return false;
    return true;
  }

  openQueue(): void {
    this.#queue ??= new Queue(this.name);
  }

  /** The shard is somebody else's now. */
  dropReader(shard: number): void {
    this.#readers.get(shard)?.close();
    this.#readers.delete(shard);
  }

  closeQueue(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
    this.#queue = undefined;
  }

  readerIfThere(shard: number): GroupReader | undefined {
    return this.#readers.get(shard);
  }

  /** `isEmpty`: there is nothing in the queue of this shard yet. */
  reader(shard: number, isEmpty = true): GroupReader {
    let reader = this.#readers.get(shard);
    if (reader === undefined) {
      reader = new GroupReader(this, shard, this.#parts, isEmpty);
      this.#readers.set(shard, reader);
    }
    return reader;
  }

  join(member: Member): void {
    this.#members.push(member);
    this.#withRoom++;
    this.#strategy.joined?.(member);
    this.wake(undefined);
  }

  /** Gets nothing more. What it has not finished is its own until {@link handBack}. */
  leave(member: Member): void {
    const index = this.#members.indexOf(member);
    if (index < 0) return;
    this.#members.splice(index, 1);
    if (member.hasRoom) this.#withRoom--;
    this.#strategy.left?.(member);
    member.isGone = true;
    this.wake(undefined);
  }

  /** What a member that is gone has not finished goes to others, but for what belongs to its session. */
  handBack(member: Member, keep: readonly { shard: number; offset: Offset }[]): void {
    for (const reader of this.#readers.values()) {
      const kept = keep.filter(({ shard }) => shard === reader.shard);
      reader.left(member, new Set(kept.map(({ offset }) => offset)));
    }
    this.wake(undefined);
  }

  /** A message of the queue is on disk. */
  stored(shard: number, records: Records, index: number, offset: Offset): void {
    // The queue was taken away while the message was on its way.
    if (this.#queue === undefined) this.direct(shard, records, index, 1);
    else this.reader(shard).stored(records, index, offset);
  }

  /** A message that is not stored for the group goes to a member at once, or nowhere. */
  direct(shard: number, records: Records, index: number, qos: number): GatewayLink | undefined {
    const bytes = records.bytes;
    const start = records.starts[index] as number;
    const end = records.ends[index] as number;
    return this.pass(shard, bytes, start, end, records.topics[index] as Topic, qos);
  }

  /** Returns the gateway of the member that it went to. */
  pass(
    shard: number,
    bytes: Buffer,
    start: number,
    end: number,
    topic: Topic,
    qos: number,
  ): GatewayLink | undefined {
    if (this.#members.length === 0) return this.#passAway();
    const member = this.choose({ bytes, start, end });
    this.given(member, qos > 0 && member.qos > 0);
    member.give({
      number: member.link.nextNumber(),
      member: member.number,
      shard,
      epoch: this.#parts.epoch(shard),
      offset: 0,
      bytes,
      start,
      end,
      topic,
    });
    return member.link;
  }

  /** Who would have got it is away: nobody will say that it was taken. */
  #passAway(): GatewayLink | undefined {
    const [link] = this.away;
    link?.nextNumber();
    return link;
  }

  choose(message: Candidate): Member {
    return this.#strategy.choose(this.#members, message);
  }

  /** A member got a message; `inFlight` if it has to be settled. */
  given(member: Member, inFlight: boolean): void {
    member.chosen = ++this.#choices;
    if (inFlight) {
      const hadRoom = member.hasRoom;
      member.outstanding++;
      if (hadRoom && !member.hasRoom) this.#withRoom--;
    }
    this.#strategy.changed?.(member);
  }

  /** A delivery in flight is finished. */
  finished(member: Member): void {
    if (member.outstanding === 0) return;
    const hadRoom = member.hasRoom;
    member.outstanding--;
    if (member.isGone) return;
    if (!hadRoom && member.hasRoom) this.#withRoom++;
    this.#strategy.changed?.(member);
    this.wake(member);
  }

  /** Readers that are behind go on. */
  wake(member: Member | undefined): void {
    if (this.#withRoom === 0) return;
    for (const reader of this.#readers.values()) reader.wake(member);
  }
}
