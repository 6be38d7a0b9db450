/**
 * A durable log in one directory: what Raft will be, with one voter.
 *
 * Group commit: while one write is on its way to the disk, the next commands collect, and all that
 * wait go with the next write. So the disk's latency bounds the time of a command, not their rate.
 *
 * Nothing here keeps a second process out of the directory: whoever uses it holds a lock.
 */
import { BoundedQueue, Deferred, type Logger } from "@canopy/base";
import { SessionError } from "@canopy/session";
import { Compactor } from "./compactor.ts";
import { type Disk, nodeDisk } from "./disk.ts";
import { FrameWriter } from "./frame.ts";
import type { CommandLog, StateMachine } from "./port.ts";
import { recover } from "./recover.ts";
import { Segment } from "./segment.ts";

/** What a command waits for: `sync` = the disk, `os` = the operating system's memory. */
export type Durability = "sync" | "os";

export interface LogOptions {
  readonly directory: string;
  readonly machine: StateMachine;
  readonly logger: Logger;
  readonly durability: Durability;
  /** Bytes of log after which a snapshot is taken. */
  readonly snapshotEvery: number;
  /** Bytes after which the next file is begun; at start a file is read as a whole. */
  readonly segmentBytes?: number;
  /** Commands and bytes that may wait; beyond it proposals are `overloaded`. */
  readonly maxWaiting?: number;
  readonly maxWaitingBytes?: number;
  readonly disk?: Disk;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
const MAX_WAITING = 100_000;
const MAX_WAITING_BYTES = 256 * 1024 * 1024;
/**
 * One write takes no more than this, or one command: its commands are applied in one go, and for
 * so long everything else waits.
 */
const FRAME_BYTES = 256 * 1024;
const FRAME_COMMANDS = 4_096;

/** A file that can't be begun is tried again after this part of its size. */
const RETRY_PART = 8;

interface Waiting {
  readonly command: Uint8Array;
  readonly answer: Deferred<unknown>;
}

export class LocalLog implements CommandLog {
  readonly #machine: StateMachine;
  readonly #logger: Logger;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #sync: boolean;
  readonly #segmentBytes: number;
  readonly #maxWaitingBytes: number;
  readonly #queue: BoundedQueue<Waiting>;
  readonly #frame = new FrameWriter();
  readonly #compactor: Compactor;
  #waitingBytes = 0;
  /** Size of the present file at which the next one is begun. */
  #rollAt: number;
  #segment: Segment | undefined;
  /** Index of the next command. */
  #next = 1;
  #running: Promise<void> | undefined;
  #closed = false;
  #failing = false;

  constructor(options: LogOptions) {
    this.#machine = options.machine;
    this.#logger = options.logger;
    this.#disk = options.disk ?? nodeDisk;
    this.#directory = options.directory;
    this.#sync = options.durability === "sync";
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#rollAt = this.#segmentBytes;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? MAX_WAITING_BYTES;
    this.#queue = new BoundedQueue(options.maxWaiting ?? MAX_WAITING);
    this.#compactor = new Compactor(
      this.#disk,
      this.#directory,
      options.snapshotEvery,
      this.#logger,
    );
  }

  /** Applies what is on disk. Throws a LogError rather than start from a damaged log. */
  async open(): Promise<void> {
    const recovered = await recover(this.#disk, this.#directory, this.#machine, (command) => {
      this.#machine.apply(command);
    });
    this.#segment = recovered.segment;
    this.#next = recovered.next;
    this.#compactor.grew(recovered.bytes);
    const { commands, bytes } = recovered;
    this.#logger.info({ directory: this.#directory, commands, bytes }, "session log recovered");
  }

  /** Index of the last command that was applied. */
  get lastIndex(): number {
    return this.#next - 1;
  }

  propose(command: Uint8Array): Promise<unknown> {
    if (this.#closed || this.#segment === undefined) {
      return Promise.reject(new SessionError("closed", "the session log is closed"));
    }
    const answer = new Deferred<unknown>();
    const fits = this.#waitingBytes + command.length <= this.#maxWaitingBytes;
    if (!fits || !this.#queue.push({ command, answer })) {
      return Promise.reject(new SessionError("overloaded", "too many session commands wait"));
    }
    this.#waitingBytes += command.length;
    this.#running ??= this.#run(this.#segment);
    return answer.promise;
  }

  /** Waits for everything that was proposed, then ends. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#compactor.close();
    const segment = this.#segment;
    this.#segment = undefined;
    if (segment === undefined) return;
    try {
      await segment.sync();
    } finally {
      await segment.close();
    }
  }

  /** Writes until nothing waits any more. */
  async #run(segment: Segment): Promise<void> {
    // The rest of this turn of the event loop goes with the first write.
    await new Promise<void>((resolve) => setImmediate(resolve));
    let current = segment;
    while (this.#queue.size > 0) {
      current = await this.#roll(current);
      await this.#write(current, this.#collect());
    }
    this.#running = undefined;
  }

  #collect(): Waiting[] {
    const batch: Waiting[] = [];
    this.#frame.reset();
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      const { command } = next;
      if (batch.length > 0 && this.#frame.length + command.length > FRAME_BYTES) break;
      if (batch.length === FRAME_COMMANDS) break;
      this.#queue.shift();
      this.#waitingBytes -= command.length;
      this.#frame.add(command);
      batch.push(next);
    }
    return batch;
  }

  async #write(segment: Segment, batch: readonly Waiting[]): Promise<void> {
    const frame = this.#frame.finish(segment.header.salt, this.#next, segment.synced);
    try {
      await segment.append(frame, this.#sync);
    } catch (error) {
      await this.#fail(segment, batch, error);
      return;
    }
    if (this.#failing)
      this.#logger.info({ directory: this.#directory }, "session log writes again");
    this.#failing = false;
    this.#next += batch.length;
    this.#compactor.grew(frame.length);
    this.#apply(batch);
  }

  /** Answers come after the whole batch is applied, so that its effects are known to all of them. */
  #apply(batch: readonly Waiting[]): void {
    const results = batch.map(({ command }) => this.#machine.apply(command));
    this.#machine.applied();
    for (const [i, { answer }] of batch.entries()) answer.resolve(results[i]);
  }

  /** Nothing of the batch is applied, and what may be in the file of it is taken away first. */
  async #fail(segment: Segment, batch: readonly Waiting[], cause: unknown): Promise<void> {
    let left = "";
    try {
      await segment.repair(this.#sync);
    } catch {
      // Tried again before the next write; only a crash before that could bring the batch back.
      left = "; what was written of it could not be taken back yet";
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (!this.#failing) {
      this.#logger.error(
        { directory: this.#directory, error: reason },
        "session log can't be written",
      );
    }
    this.#failing = true;
    const error = new SessionError("unavailable", `session log: ${reason}${left}`, { cause });
    for (const { answer } of batch) answer.reject(error);
  }

  /** Begins the next file where this one is full or a snapshot is due; else goes on with it. */
  async #roll(segment: Segment): Promise<Segment> {
    const due = this.#compactor.isDue;
    if (segment.size < this.#rollAt && !due) return segment;
    let next: Segment;
    try {
      // What is in earlier files has to be on disk for certain before there is a later one.
      await segment.sync();
      next = await Segment.create(this.#disk, this.#directory, this.#next);
    } catch (error) {
      // Nothing is lost by staying; the write that follows says if the disk is out of order.
      this.#compactor.postpone(error);
      this.#rollAt = segment.size + this.#segmentBytes / RETRY_PART;
      return segment;
    }
    this.#segment = next;
    this.#rollAt = this.#segmentBytes;
    await segment.close().catch(() => {});
    if (due) this.#compactor.begin(this.#next - 1, this.#machine.snapshot());
    return next;
  }
}
