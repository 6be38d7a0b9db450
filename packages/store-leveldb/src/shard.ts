import {
  type Append,
  checkAppend,
  checkLimits,
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
} from "@canopy/store";
import { type Committer, failAll, type Line } from "./committer.ts";
import type { Database } from "./database.ts";
import type { DiskReader } from "./disk-reader.ts";
import { closedError } from "./errors.ts";
import { writeDrop } from "./floors.ts";
import { excessOf, statOf } from "./queue-stat.ts";
import { readShard } from "./read.ts";
import { bodyOf } from "./record.ts";
import { retainedPage, retainedValue } from "./retained.ts";
import type { LoadRun, ShardState } from "./shard-state.ts";

export interface ShardParts {
  readonly database: Database;
  readonly reader: DiskReader;
  readonly committer: Committer;
  /** The newest segment's id. */
  readonly newest: () => number;
  /** The shard is closed by its owner; the state may be given up. */
  readonly release: (shard: Shard) => Promise<void>;
}

/** One ownership of a shard. The state is passed on to the next owner. */
export class Shard implements ShardStore, Line {
  readonly epoch: number;
  readonly state: ShardState;
  readonly waiting: Line["waiting"] = [];
  failures = 0;
  readonly #parts: ShardParts;
  /** Settles with the last append given. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #drops = new Set<Promise<unknown>>();
  readonly #loadRun: LoadRun;
  #ended: StoreError | undefined;
  #closing: Promise<void> | undefined;

  constructor(state: ShardState, epoch: number, parts: ShardParts) {
    this.state = state;
    this.epoch = epoch;
    this.#parts = parts;
    this.#loadRun = (segment, place) => parts.reader.run(segment, place);
  }

  get shard(): number {
    return this.state.shard;
  }

  get head(): Offset {
    return this.state.head;
  }

  get retainedCount(): number {
    return this.state.retained.size;
  }

  append(append: Append): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const settled = new Promise<void>((resolve, reject) => {
      this.waiting.push({ append, error: errorIn(append), resolve, reject });
      this.#parts.committer.wake(this);
    });
    this.#last = settled.catch(() => {});
    return settled;
  }

  /** A newer owner took over: what waits and what comes fails. */
  fence(epoch: number): void {
    if (this.#ended?.code === "stale-epoch") return;
    const message = `shard ${this.shard} has passed from epoch ${this.epoch} to ${epoch}`;
    this.#ended ??= new StoreError("stale-epoch", message);
    failAll(this, [], this.#ended);
  }

  /** Whether exactly these messages are on disk already, as far as they are still needed. */
  async isRepeat(append: Append): Promise<boolean> {
    const tail = this.state.tailOf(append.first);
    if (tail === undefined) return false;
    const record = await this.#parts.reader.record(tail.id, tail.recordOf(append.first));
    if (record === undefined) return false;
    return append.ends.every((end, index) => {
      const stored = bodyOf(record, append.first + index);
      const begin = index === 0 ? 0 : (append.ends[index - 1] as number);
      return stored !== undefined && stored.equals(append.bodies.subarray(begin, end));
    });
  }

  async read(queues: readonly QueuePosition[], limits: ReadLimits): Promise<ReadResult> {
    this.#requireOpen();
    checkLimits(limits);
    return readShard(this.state, this.#parts.reader, queues, limits);
  }

  async trim(queue: string, upTo: Offset): Promise<number> {
    this.#requireOpen();
    await this.#last;
    this.#requireOpen();
    return this.state.trim(queue, upTo, this.#loadRun);
  }

  async drop(queue: string, upTo: Offset): Promise<number> {
    this.#requireOpen();
    const dropping = this.#drop(queue, upTo);
    const settled = dropping.catch(() => {});
    this.#drops.add(settled);
    void settled.then(() => this.#drops.delete(settled));
    return dropping;
  }

  async #drop(name: string, upTo: Offset): Promise<number> {
    await this.#last;
    this.#requireOpen();
    const { state } = this;
    const { committer, newest } = this.#parts;
    const queue = state.queues.get(name);
    if (queue === undefined || queue.isEmpty) return 0;
    // Applied also if a newer owner has the shard by then: it is on disk.
    return writeDrop(state, committer, newest(), { queue, upTo }, (floor) =>
      state.drop(name, floor, this.#loadRun),
    );
  }

  async remove(queue: string): Promise<void> {
    this.#requireOpen();
    await this.#last;
    this.#requireOpen();
    const { state } = this;
    state.removeProgress(queue);
    await state.trim(queue, state.head, this.#loadRun);
  }

  async stats(queues?: readonly string[]): Promise<readonly QueueStat[]> {
    this.#requireOpen();
    const all = this.state.queues;
    if (queues === undefined) {
      const stats: QueueStat[] = [];
      for (const queue of all.values()) if (!queue.isEmpty) stats.push(statOf(queue.name, queue));
      return stats;
    }
    return queues.map((name) => statOf(name, all.get(name)));
  }

  async excess(name: string, limits: { messages: number; bytes: number }): Promise<Offset> {
    this.#requireOpen();
    const queue = this.state.queues.get(name);
    return queue === undefined ? 0 : excessOf(queue, limits, this.#parts.reader);
  }

  async retained(
    filter: string,
    upTo: Offset,
    after: string | undefined,
    limits: ReadLimits,
  ): Promise<RetainedPage> {
    this.#requireOpen();
    checkLimits(limits);
    const { reader, database } = this.#parts;
    return retainedPage(this.state, reader, database, { filter, upTo, after }, limits);
  }

  async retainedValue(topic: string): Promise<RetainedMessage | undefined> {
    this.#requireOpen();
    return retainedValue(this.state, this.#parts.reader, this.#parts.database, topic);
  }

  hasRetained(topic: string): boolean {
    return this.state.retained.get(topic) !== undefined;
  }

  async receipts(session: number): Promise<readonly number[]> {
    this.#requireOpen();
    return [...(this.state.receipts.get(session) ?? [])].sort((a, b) => a - b);
  }

  hasReceipt(session: number, key: number): boolean {
    return this.state.receipts.get(session)?.has(key) ?? false;
  }

  async receiptSessions(): Promise<readonly number[]> {
    this.#requireOpen();
    return [...this.state.receipts.keys()];
  }

  sender(sender: string): SenderSeq | undefined {
    return this.state.senders.get(sender);
  }

  senders(): Iterable<SenderSeq> {
    return this.state.senders.values();
  }

  async progress(queue: string): Promise<Uint8Array | undefined> {
    this.#requireOpen();
    return this.state.progress.get(queue);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#ended ??= closedError("shard");
    await this.#last;
    await Promise.all(this.#drops);
    await this.#parts.release(this);
  }

  #requireOpen(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }
}

function errorIn(append: Append): StoreError | undefined {
  try {
    checkAppend(append);
    return undefined;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}
