import { RangeSet } from "@canopy/base";
import type { Offset, Records, StoredMessage } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import type { Group, GroupParts } from "./group.ts";
import type { Member } from "./member.ts";
import { encodeProgress, type GroupProgress } from "./progress.ts";

/** How much is read ahead of the members' room. */
const PAGE_MESSAGES = 128;
const PAGE_BYTES = 256 * 1024;

/** A QoS 2 delivery that belongs to its session for good, wherever that session is [MQTT-4.8.2-5]. */
const KEPT = undefined;

/**
 * A group's queue in one shard, dispatched in the order of offsets. It is live while everything
 * stored so far is with members, so that the next message can be dispatched as it is stored; else
 * it is behind, and reads when a member has room.
 */
export class GroupReader {
  readonly #group: Group;
  readonly #parts: GroupParts;
  readonly #shard: number;
  /** Everything up to here has been with a member once, or was no use any more. */
  #position: Offset = 0;
  /** The last message that was stored for the queue while this reader was there. */
  #last: Offset = 0;
  /** Dispatched and not finished: offset → who has it. */
  readonly #unfinished = new Map<Offset, Member | typeof KEPT>();
  /** Came back from members that went; ascending. They go out before anything new. */
  #again: Offset[] = [];
  /** Finished above the position: a session went on with them after a restart. */
  readonly #ahead = new RangeSet();
  #page: readonly StoredMessage[] = [];
  #at = 0;
  #live: boolean;
  #reading = false;
  /** Whom the next message waits for; undefined: for anybody. */
  #waitsFor: Member | undefined;
  #closed = false;
  dirty = false;

  constructor(group: Group, shard: number, parts: GroupParts, isEmpty: boolean) {
    this.#group = group;
    this.#shard = shard;
    this.#parts = parts;
    this.#live = isEmpty;
  }

  get shard(): number {
    return this.#shard;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Nothing is in the queue that somebody would still have to get or finish. */
  get isDone(): boolean {
    return this.#live && this.#unfinished.size === 0 && this.#again.length === 0;
  }

  /** Everything up to here is finished: the queue may be trimmed. */
  get floor(): Offset {
    let lowest = this.#again[0] ?? Number.POSITIVE_INFINITY;
    for (const offset of this.#unfinished.keys()) if (offset < lowest) lowest = offset;
    return Math.min(this.#position, lowest - 1);
  }

  /** Goes on where the shard's last owner was. `kept` belongs to sessions for good. */
  restore(progress: GroupProgress | undefined, kept: readonly Offset[]): void {
    for (const offset of kept) this.#unfinished.set(offset, KEPT);
    if (kept.length > 0) this.#parts.changed(this, this.#group);
    if (progress === undefined) return;
    this.#position = progress.position;
    for (const [first, last] of progress.ahead) this.#ahead.addRange(first, last);
    for (const offset of offsetsOf(progress.unfinished)) {
      // What is above the position will be read.
      if (offset > this.#position) break;
      if (!this.#unfinished.has(offset)) this.#again.push(offset);
    }
    for (const offset of offsetsOf(progress.kept)) {
      if (!this.#unfinished.has(offset)) this.finish(offset);
    }
  }

  /** A message of the queue is on disk. Called in the order of offsets. */
  stored(records: Records, index: number, offset: Offset): void {
    this.#last = offset;
    if (offset <= this.#position || !this.#live) return;
    const start = records.starts[index] as number;
    const end = records.ends[index] as number;
    if (this.#offer(records.bytes, start, end, records.topics[index] as Topic, offset)) {
      this.#position = offset;
      this.#parts.changed(this, this.#group);
    } else {
      this.#live = false;
    }
  }

  /** The member has it in flight: from another attachment of its gateway, or another owner. */
  hold(member: Member, offset: Offset): void {
    const isDispatched = this.#unfinished.has(offset);
    const holder = this.#unfinished.get(offset);
    if (holder === member) return;
    if (!isDispatched && offset <= this.#position) {
      const at = this.#again.indexOf(offset);
      // It is finished, as far as is known.
      if (at < 0) return;
      this.#again.splice(at, 1);
    }
    if (isDispatched && holder !== KEPT) this.#group.finished(holder);
    this.#unfinished.set(offset, member);
    this.#group.given(member, true);
    this.#parts.changed(this, this.#group);
  }

  /** A delivery is finished. */
  settle(member: Member, offset: Offset): void {
    if (this.#unfinished.get(offset) !== member) return;
    this.#unfinished.delete(offset);
    this.#parts.changed(this, this.#group);
    this.#group.finished(member);
  }

  /** A delivery is finished, whoever has it. */
  finish(offset: Offset): void {
    const member = this.#unfinished.get(offset);
    if (this.#unfinished.delete(offset)) {
      if (offset > this.#position) this.#ahead.add(offset);
      if (member !== KEPT) this.#group.finished(member);
    } else if (offset > this.#position) this.#ahead.add(offset);
    else this.#again = this.#again.filter((other) => other !== offset);
    this.#parts.changed(this, this.#group);
  }

  /** The member is gone: what it has not finished goes to others, but for `keep`. */
  left(member: Member, keep: ReadonlySet<Offset>): void {
    const back: Offset[] = [];
    for (const [offset, holder] of this.#unfinished) {
      if (holder !== member) continue;
      if (keep.has(offset)) {
        this.#unfinished.set(offset, KEPT);
      } else {
        this.#unfinished.delete(offset);
        back.push(offset);
      }
    }
    if (this.#waitsFor === member) this.#waitsFor = undefined;
    if (back.length === 0) return;
    this.#again = [...this.#again, ...back].sort((a, b) => a - b);
    this.#live = false;
    this.#parts.changed(this, this.#group);
  }

  /** Offsets that wait for their session. */
  kept(): Offset[] {
    return [...this.#unfinished].filter(([, holder]) => holder === KEPT).map(([offset]) => offset);
  }

  /** Somebody may have room: `member`, or anybody. */
  wake(member: Member | undefined): void {
    if (this.#live || this.#reading || this.#closed) return;
    if (!this.#parts.isReady(this.#shard)) return;
    if (member !== undefined && this.#waitsFor !== undefined && this.#waitsFor !== member) return;
    this.#waitsFor = undefined;
    if (this.#group.hasRoom) void this.#pump();
  }

  encode(): Uint8Array {
    const position = this.#position;
    const kept = setOf(this.kept());
    const dispatched = [...this.#unfinished.keys()].filter((offset) => !kept.has(offset));
    const unfinished = setOf([...dispatched, ...this.#again]);
    return encodeProgress({ position, unfinished, kept, ahead: this.#ahead });
  }

  /** The queue is gone. */
  close(): void {
    this.#closed = true;
    for (const member of this.#unfinished.values()) {
      if (member !== KEPT) this.#group.finished(member);
    }
    this.#unfinished.clear();
    this.#again = [];
  }

  async #pump(): Promise<void> {
    this.#reading = true;
    // Not within the call that woke it: gateways are not told of messages while they tell of others.
    await Promise.resolve();
    try {
      while (!this.#closed && !this.#live && this.#waitsFor === undefined) {
        if (!this.#group.hasRoom) break;
        if (this.#again.length > 0) await this.#readAgain();
        else if (this.#at < this.#page.length) this.#deliverPage();
        else await this.#readPage();
      }
    } catch (error) {
      // The maintenance pass wakes it again.
      this.#parts.failed(error, this.#group.name, this.#shard);
    } finally {
      this.#reading = false;
    }
  }

  /** Bodies of messages that come back. One that is not there any more is finished. */
  async #readAgain(): Promise<void> {
    const from = this.#again[0] as Offset;
    const limits = { messages: Math.min(this.#again.length, PAGE_MESSAGES), bytes: PAGE_BYTES };
    const result = await this.#parts.read(this.#shard, this.#group.name, from - 1, limits);
    let at = 0;
    for (let next = this.#again[0]; next !== undefined; next = this.#again[0]) {
      while ((result.messages[at]?.offset ?? Number.POSITIVE_INFINITY) < next) at++;
      const message = result.messages[at];
      if (message === undefined && result.limited) return;
      if (message?.offset === next && !this.#deliver(message)) return;
      if (this.#again[0] === next) this.#again.shift();
      this.#parts.changed(this, this.#group);
    }
  }

  async #readPage(): Promise<void> {
    const limits = { messages: PAGE_MESSAGES, bytes: PAGE_BYTES };
    const result = await this.#parts.read(this.#shard, this.#group.name, this.#position, limits);
    if (this.#closed) return;
    this.#page = result.messages;
    this.#at = 0;
    this.#deliverPage();
    if (result.limited || this.#at < this.#page.length || this.#again.length > 0) return;
    this.#position = Math.max(this.#position, result.upTo);
    if (this.#last <= this.#position) this.#live = true;
  }

  #deliverPage(): void {
    while (this.#at < this.#page.length && this.#again.length === 0) {
      const message = this.#page[this.#at] as StoredMessage;
      if (!this.#isTaken(message.offset) && !this.#deliver(message)) return;
      this.#ahead.removeUpTo(message.offset);
      this.#position = message.offset;
      this.#at++;
      this.#parts.changed(this, this.#group);
    }
    if (this.#at >= this.#page.length) this.#page = [];
    if (this.#page.length === 0) this.#at = 0;
  }

  /** A session has it already, or has finished it. */
  #isTaken(offset: Offset): boolean {
    return this.#unfinished.has(offset) || this.#ahead.has(offset);
  }

  #deliver(message: StoredMessage): boolean {
    const opened = this.#parts.open(message);
    // Expired, or its topic can't be read: nobody needs it.
    if (opened === undefined) return true;
    const { bytes, start, end, offset } = message;
    return this.#offer(bytes, start, end, opened, offset);
  }

  /** False if the message has to wait. */
  #offer(bytes: Buffer, start: number, end: number, topic: Topic, offset: Offset): boolean {
    const group = this.#group;
    if (!group.hasMembers) return false;
    const message = { bytes, start, end };
    const member = group.choose(message);
    if (!member.hasRoom) {
      this.#waitsFor = group.hasRoom ? member : undefined;
      return false;
    }
    if (member.qos > 0) this.#unfinished.set(offset, member);
    group.given(member, member.qos > 0);
    const shard = this.#shard;
    member.give({
      number: member.link.nextNumber(),
      member: member.number,
      shard,
      epoch: this.#parts.epoch(shard),
      offset,
      bytes,
      start,
      end,
      topic,
    });
    return true;
  }
}

function setOf(offsets: Offset[]): RangeSet {
  const set = new RangeSet();
  for (const offset of offsets.sort((a, b) => a - b)) set.add(offset);
  return set;
}

function* offsetsOf(set: RangeSet): Generator<Offset> {
  for (const [first, last] of set) for (let offset = first; offset <= last; offset++) yield offset;
}
