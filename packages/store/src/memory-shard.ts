import { matchesFilter } from "@canopy/topic";
import {
  type Append,
  type Offset,
  type QueuePosition,
  type QueueStat,
  type ReadLimits,
  type ReadResult,
  type RetainedMessage,
  type RetainedPage,
  type SenderSeq,
  type ShardStore,
  StoreError,
  type StoreErrorCode,
} from "./port.ts";
import { checkAppend, checkLimits, lastOffset } from "./validate.ts";

/** What tests make go wrong. */
export interface Faults {
  /** While set, appends (also those on their way) and opens fail with this code. */
  fault: StoreErrorCode | undefined;
  /** While set, appends wait for it before they are applied. */
  gate: Promise<void> | undefined;
}

/** So many bytes that mean nothing are before and behind each body: nobody may rely on `start` = 0. */
const FILLING = 5;
const FILLER = 0xee;

/** One shard's data. */
export class MemoryShardDisk {
  readonly disk: Faults;
  epoch: number = 0;
  head: Offset = 0;
  /** Every body ever appended: the model forgets nothing, so repeats can be told. */
  readonly bodies: Map<Offset, Uint8Array> = new Map();
  /** Queue → offsets, ascending. */
  readonly queues: Map<string, Offset[]> = new Map();
  readonly retained: Map<string, RetainedMessage> = new Map();
  /** Session → keys. */
  readonly receipts: Map<number, Set<number>> = new Map();
  readonly senders: Map<string, SenderSeq> = new Map();
  readonly progress: Map<string, Uint8Array> = new Map();
  /** What trims took out of queues and a crash may bring back. */
  readonly #trimmed: Map<string, Offset[]> = new Map();

  constructor(disk: Faults) {
    this.disk = disk;
  }

  /** Whether exactly these messages are stored at these offsets already. */
  holds(append: Append): boolean {
    return append.ends.every((_, index) => {
      const stored = this.bodies.get(append.first + index);
      return stored !== undefined && Buffer.compare(stored, bodyOf(append, index)) === 0;
    });
  }

  apply(append: Append): void {
    append.ends.forEach((_, index) => {
      this.bodies.set(append.first + index, amongOthers(bodyOf(append, index)));
    });
    this.head = Math.max(this.head, lastOffset(append));
    for (const [queue, indexes] of append.postings) {
      if (indexes.length === 0) continue;
      const offsets = this.queues.get(queue) ?? [];
      this.queues.set(queue, offsets);
      for (const index of indexes) offsets.push(append.first + index);
    }
    this.#applyRetained(append);
    this.#applyReceipts(append);
    for (const { sender, term, seq } of append.senders) {
      if (seq === 0) this.senders.delete(sender);
      else this.senders.set(sender, { sender, term, seq });
    }
    for (const [queue, value] of append.progress) {
      if (value.length === 0) this.progress.delete(queue);
      else this.progress.set(queue, new Uint8Array(value));
    }
  }

  /** Takes the messages up to an offset out of a queue; returns how many. */
  take(queue: string, upTo: Offset, isDurable: boolean): number {
    const offsets = this.queues.get(queue) ?? [];
    const kept = offsets.filter((offset) => offset > upTo);
    const gone = [
      ...(this.#trimmed.get(queue) ?? []),
      ...offsets.slice(0, -kept.length || undefined),
    ];
    if (kept.length > 0) this.queues.set(queue, kept);
    else this.queues.delete(queue);
    this.#trimmed.set(queue, isDurable ? gone.filter((offset) => offset > upTo) : gone);
    return offsets.length - kept.length;
  }

  /** All of them; see memory.ts. */
  loseTrims(): void {
    for (const [queue, offsets] of this.#trimmed) {
      if (offsets.length > 0)
        this.queues.set(queue, [...offsets, ...(this.queues.get(queue) ?? [])]);
    }
    this.#trimmed.clear();
  }

  #applyRetained(append: Append): void {
    for (const { topic, index } of append.retained) {
      // Deleted first, so that a changed value moves to the end of the iteration order.
      this.retained.delete(topic);
      if (index < 0) continue;
      const offset = append.first + index;
      this.retained.set(topic, { topic, offset, body: new Uint8Array(bodyOf(append, index)) });
    }
  }

  #applyReceipts(append: Append): void {
    for (const { session, key, add } of append.receipts) {
      const keys = this.receipts.get(session) ?? new Set();
      if (add) keys.add(key);
      else keys.delete(key);
      if (keys.size === 0) this.receipts.delete(session);
      else this.receipts.set(session, keys);
    }
    for (const session of append.endedSessions) this.receipts.delete(session);
  }
}

function bodyOf(append: Append, index: number): Uint8Array {
  return append.bodies.subarray(index === 0 ? 0 : append.ends[index - 1], append.ends[index]);
}

/** A copy (slice() of a Buffer is none): the caller may use its memory again. */
function amongOthers(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FILLING + body.length + FILLING).fill(FILLER);
  bytes.set(body, FILLING);
  return bytes.subarray(FILLING, FILLING + body.length);
}

interface Waiting {
  readonly append: Append;
  resolve(): void;
  reject(error: StoreError): void;
}

export class MemoryShard implements ShardStore {
  readonly shard: number;
  readonly epoch: number;
  readonly #disk: MemoryShardDisk;
  #waiting: Waiting[] = [];
  #working: Promise<void> | undefined;
  #closed = false;
  failures = 0;

  constructor(disk: MemoryShardDisk, shard: number, epoch: number) {
    this.#disk = disk;
    this.shard = shard;
    this.epoch = epoch;
  }

  get head(): Offset {
    return this.#disk.head;
  }

  get retainedCount(): number {
    return this.#disk.retained.size;
  }

  append(append: Append): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ append, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  /** Applies what waits, in order, never in the turn in which it was given. */
  async #work(): Promise<void> {
    await this.#disk.disk.gate;
    while (this.#waiting.length > 0) {
      await Promise.resolve();
      const next = this.#waiting.shift();
      if (next === undefined) break;
      try {
        this.#apply(next.append);
        next.resolve();
      } catch (error) {
        const failure = error as StoreError;
        this.failures++;
        for (const failed of [next, ...this.#waiting.splice(0)]) failed.reject(failure);
      }
    }
    this.#working = undefined;
  }

  #apply(append: Append): void {
    const disk = this.#disk;
    if (this.epoch !== disk.epoch) throw stale(this);
    if (disk.disk.fault !== undefined) throw new StoreError(disk.disk.fault, "injected fault");
    checkAppend(append);
    if (append.ends.length > 0 && append.first <= disk.head) {
      if (disk.holds(append)) return;
      throw new StoreError("invalid", `offset ${append.first} is not above the head ${disk.head}`);
    }
    disk.apply(append);
  }

  async read(queues: readonly QueuePosition[], limits: ReadLimits): Promise<ReadResult> {
    this.#requireOpen();
    checkLimits(limits);
    const found = new Map<Offset, number[]>();
    queues.forEach(({ queue, after }, index) => {
      for (const offset of this.#disk.queues.get(queue) ?? []) {
        if (offset <= after) continue;
        const holders = found.get(offset);
        if (holders === undefined) found.set(offset, [index]);
        else holders.push(index);
      }
    });
    const messages = [];
    let bytes = 0;
    for (const offset of [...found.keys()].sort((a, b) => a - b)) {
      const body = this.#disk.bodies.get(offset) as Uint8Array;
      const start = body.byteOffset;
      messages.push({
        offset,
        bytes: Buffer.from(body.buffer),
        start,
        end: start + body.length,
        queues: found.get(offset) as number[],
      });
      bytes += body.length;
      if (messages.length >= limits.messages || bytes >= limits.bytes) {
        return { messages, upTo: offset, limited: true };
      }
    }
    return { messages, upTo: this.#disk.head, limited: false };
  }

  async trim(queue: string, upTo: Offset): Promise<number> {
    await this.#settled();
    this.#requireOwner();
    return this.#disk.take(queue, upTo, false);
  }

  async drop(queue: string, upTo: Offset): Promise<number> {
    await this.#settled();
    // Of what comes while it is on its way nothing is meant.
    const bound = Math.min(upTo, this.#disk.head);
    const { disk } = this.#disk;
    await disk.gate;
    this.#requireOwner();
    if (disk.fault !== undefined) throw new StoreError(disk.fault, "injected fault");
    return this.#disk.take(queue, bound, true);
  }

  async remove(queue: string): Promise<void> {
    await this.#settled();
    this.#requireOwner();
    this.#disk.queues.delete(queue);
    this.#disk.progress.delete(queue);
  }

  async stats(queues?: readonly string[]): Promise<readonly QueueStat[]> {
    this.#requireOpen();
    return (queues ?? [...this.#disk.queues.keys()]).map((queue) => this.#stat(queue));
  }

  #stat(queue: string): QueueStat {
    const offsets = this.#disk.queues.get(queue) ?? [];
    return {
      queue,
      messages: offsets.length,
      bytes: offsets.reduce((sum, offset) => sum + this.#sizeOf(offset), 0),
      first: offsets[0] ?? 0,
      last: offsets.at(-1) ?? 0,
    };
  }

  #sizeOf(offset: Offset): number {
    return this.#disk.bodies.get(offset)?.length ?? 0;
  }

  async excess(queue: string, limits: { messages: number; bytes: number }): Promise<Offset> {
    this.#requireOpen();
    let { messages, bytes } = this.#stat(queue);
    let upTo = 0;
    for (const offset of this.#disk.queues.get(queue) ?? []) {
      if (messages <= limits.messages && bytes <= limits.bytes) break;
      messages--;
      bytes -= this.#sizeOf(offset);
      upTo = offset;
    }
    return upTo;
  }

  async retained(
    filter: string,
    upTo: Offset,
    after: string | undefined,
    limits: ReadLimits,
  ): Promise<RetainedPage> {
    this.#requireOpen();
    checkLimits(limits);
    const messages: RetainedMessage[] = [];
    let bytes = 0;
    for (const topic of [...this.#disk.retained.keys()].sort()) {
      const value = this.#disk.retained.get(topic) as RetainedMessage;
      if (after !== undefined && topic <= after) continue;
      if (value.offset > upTo || !matchesFilter(filter, topic)) continue;
      messages.push(value);
      bytes += value.body.length;
      if (messages.length >= limits.messages || bytes >= limits.bytes) {
        return { messages, next: topic };
      }
    }
    return { messages, next: undefined };
  }

  async retainedValue(topic: string): Promise<RetainedMessage | undefined> {
    this.#requireOpen();
    return this.#disk.retained.get(topic);
  }

  hasRetained(topic: string): boolean {
    return this.#disk.retained.has(topic);
  }

  async receipts(session: number): Promise<readonly number[]> {
    this.#requireOpen();
    return [...(this.#disk.receipts.get(session) ?? [])].sort((a, b) => a - b);
  }

  hasReceipt(session: number, key: number): boolean {
    return this.#disk.receipts.get(session)?.has(key) ?? false;
  }

  async receiptSessions(): Promise<readonly number[]> {
    this.#requireOpen();
    return [...this.#disk.receipts.keys()];
  }

  sender(sender: string): SenderSeq | undefined {
    return this.#disk.senders.get(sender);
  }

  senders(): Iterable<SenderSeq> {
    return this.#disk.senders.values();
  }

  async progress(queue: string): Promise<Uint8Array | undefined> {
    this.#requireOpen();
    return this.#disk.progress.get(queue);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
  }

  /** Trims are ordered behind the appends given before them, whether those succeed or fail. */
  async #settled(): Promise<void> {
    this.#requireOpen();
    await this.#working;
  }

  #requireOpen(): void {
    if (this.#closed) throw closed();
  }

  #requireOwner(): void {
    if (this.epoch !== this.#disk.epoch) throw stale(this);
  }
}

function closed(): StoreError {
  return new StoreError("closed", "the shard is closed");
}

function stale(shard: MemoryShard): StoreError {
  return new StoreError(
    "stale-epoch",
    `shard ${shard.shard} has a newer owner than ${shard.epoch}`,
  );
}
