import {
  backgroundTimers,
  type Clock,
  type Logger,
  silentLogger,
  systemClock,
  type Timers,
} from "@canopy/base";
import { checkEpoch, type ShardStore, type Store, StoreError } from "@canopy/store";
import { Committer, failAll } from "./committer.ts";
import { Database } from "./database.ts";
import { DiskReader } from "./disk-reader.ts";
import { closedError, corrupt } from "./errors.ts";
import { behind, idIn, keyOf, kindPrefix, VERSION_KEY } from "./keys.ts";
import { decodeEpoch, type EpochRecord, loadShard } from "./load.ts";
import { RecordCache } from "./record-cache.ts";
import { Recovery } from "./recovery.ts";
import { type Descriptor, decodeDescriptor } from "./segments.ts";
import { Shard } from "./shard.ts";
import type { ShardState } from "./shard-state.ts";
import { Upkeep } from "./upkeep.ts";

const MIB = 2 ** 20;
/** Of the format on disk. */
const VERSION = 1;
/** Default of {@link LevelStoreOptions.rewriteDelay}. */
const REWRITE_DELAY = 10_000;

export interface LevelStoreOptions {
  /** Made if it isn't there; its parent too. */
  readonly folder: string;
  /**
   * `sync`: what is acknowledged survives a power loss. `os`: it survives the death of the process;
   * a power loss may take the last seconds. Default `sync`.
   */
  readonly durability?: "sync" | "os";
  /** Recent records kept in memory over all shards, so that live readers read no disk. 64 MiB. */
  readonly cacheBytes?: number;
  /** A segment is sealed when it reaches this size. 16 MiB. */
  readonly segmentBytes?: number;
  /**
   * Appends fail with `full` while less is free on the file system, at most a quarter of it; so
   * there is room left for deleting, which LevelDB does by writing. 0 = don't look. 128 MiB.
   */
  readonly reserveBytes?: number;
  /** How long a segment of which little is needed waits to be rewritten, in ms. 10 s. */
  readonly rewriteDelay?: number;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
}

export interface LevelStoreCounts {
  /** Segments. */
  readonly unsealed: number;
  readonly sealed: number;
  readonly unsealedBytes: number;
  readonly sealedBytes: number;
  /** Of sealed segments, in queues; what is in two queues counts twice. */
  readonly liveBytes: number;
}

/** Opens the store in a folder. Throws StoreErrors. */
export async function openLevelStore(options: LevelStoreOptions): Promise<LevelStore> {
  const database = await Database.open(options.folder);
  try {
    await checkFormat(database, options.folder);
    const segments = await loadSegments(database);
    return new LevelStore(database, segments, options);
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function checkFormat(database: Database, folder: string): Promise<void> {
  const value = await database.get(VERSION_KEY);
  if (value === undefined) {
    const [other] = await database.keys(Buffer.alloc(0), Buffer.of(0xff), 1);
    if (other !== undefined) throw corrupt(`${folder} holds a database that is not of this store`);
    await database.write(
      [{ type: "put", key: VERSION_KEY, value: Buffer.from(`${VERSION}`) }],
      true,
    );
    return;
  }
  const found = value.toString();
  if (found !== `${VERSION}`) {
    const message = `${folder} has format version ${found}, this program knows version ${VERSION}`;
    throw new StoreError("corrupt", message);
  }
}

async function loadSegments(database: Database): Promise<Map<number, Descriptor>> {
  const segments = new Map<number, Descriptor>();
  const prefix = kindPrefix("segment");
  await database.scan(prefix, behind(prefix), (key, value) => {
    segments.set(idIn(key), decodeDescriptor(value));
  });
  return segments;
}

/** The Store port over one LevelDB database. */
export class LevelStore implements Store {
  readonly #database: Database;
  readonly #reader: DiskReader;
  readonly #committer: Committer;
  readonly #recovery: Recovery;
  readonly #upkeep: Upkeep;
  readonly #newest: () => number;
  readonly #owners = new Map<number, Shard>();
  /** Opening and closing of one shard, one after the other. */
  readonly #turns = new Map<number, Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(database: Database, segments: Map<number, Descriptor>, options: LevelStoreOptions) {
    this.#database = database;
    let nextSegment = 1;
    for (const id of segments.keys()) nextSegment = Math.max(nextSegment, id + 1);
    const cache = new RecordCache(options.cacheBytes ?? 64 * MIB);
    this.#reader = new DiskReader(database, cache);
    const timers = options.timers ?? backgroundTimers;
    const clock = options.clock ?? systemClock;
    this.#recovery = new Recovery(database, { clock, timers }, options.reserveBytes ?? 128 * MIB, {
      onRepaired: () => {
        this.#committer.retry();
        this.#upkeep.resume();
      },
      onLow: () => this.#upkeep.resume(),
    });
    const logger = options.logger ?? silentLogger;
    const newSegment = () => nextSegment++;
    this.#newest = () => nextSegment - 1;
    const segmentBytes = options.segmentBytes ?? 16 * MIB;
    this.#committer = new Committer(
      { database, cache, guard: this.#recovery },
      { sync: options.durability !== "os", segmentBytes },
      { newSegment, onFull: (state) => this.#upkeep.seal(state) },
    );
    this.#upkeep = new Upkeep(
      { database, cache, reader: this.#reader, committer: this.#committer },
      {
        timers,
        segmentBytes,
        newSegment,
        wall: () => clock.wall(),
        now: () => clock.now(),
        rewriteDelay: options.rewriteDelay ?? REWRITE_DELAY,
        isLow: () => this.#recovery.isLow,
        newest: this.#newest,
        onError: (error) => logger.error({ err: error }, "upkeep of a shard has stopped"),
      },
    );
    this.#upkeep.dropFound(segments);
  }

  async epoch(shard: number): Promise<number> {
    this.#requireOpen();
    return (await this.#epochRecord(shard)).epoch;
  }

  async #epochRecord(shard: number): Promise<EpochRecord> {
    const state = this.#owners.get(shard)?.state;
    if (state !== undefined) return state;
    const value = await this.#database.get(keyOf("epoch", shard));
    return value === undefined ? { epoch: 0, head: 0 } : decodeEpoch(value);
  }

  async open(shard: number, epoch: number): Promise<ShardStore> {
    this.#requireOpen();
    return this.#inTurn(shard, () => this.#open(shard, epoch));
  }

  async #open(shard: number, epoch: number): Promise<Shard> {
    this.#requireOpen();
    const record = await this.#epochRecord(shard);
    checkEpoch(shard, epoch, record.epoch);
    const old = this.#owners.get(shard);
    // Before the write: so what it gave and what isn't in a running write is not stored.
    old?.fence(epoch);
    const state = old?.state ?? (await this.#load(shard, record));
    // Behind a running write, whose appends are stored then and seen by the new owner.
    await this.#committer.write([this.#upkeep.epochOp(shard, epoch, state.head)], false);
    state.epoch = epoch;
    const opened = new Shard(state, epoch, {
      database: this.#database,
      reader: this.#reader,
      committer: this.#committer,
      newest: this.#newest,
      release: (closed) => this.#inTurn(shard, () => this.#release(closed)),
    });
    this.#owners.set(shard, opened);
    return opened;
  }

  async #load(shard: number, record: EpochRecord): Promise<ShardState> {
    const segments = await loadSegments(this.#database);
    const state = await loadShard(this.#database, shard, record, segments);
    this.#upkeep.adopt(state);
    return state;
  }

  async #release(shard: Shard): Promise<void> {
    if (this.#owners.get(shard.shard) !== shard) return;
    await this.#upkeep.release(shard.state);
    this.#owners.delete(shard.shard);
  }

  #inTurn<T>(shard: number, task: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(shard) ?? Promise.resolve();
    const result = before.then(task, task);
    this.#turns.set(
      shard,
      result.catch(() => {}),
    );
    return result;
  }

  /** What the open shards' data amounts to, for metrics. */
  counts(): LevelStoreCounts {
    const counts = { unsealed: 0, sealed: 0, unsealedBytes: 0, sealedBytes: 0, liveBytes: 0 };
    for (const { state } of this.#owners.values()) {
      counts.unsealed += state.tails.length;
      counts.sealed += state.sealed.length;
      for (const { bytes } of state.tails) counts.unsealedBytes += bytes;
      for (const { bytes, liveBytes } of state.sealed) {
        counts.sealedBytes += bytes;
        counts.liveBytes += liveBytes;
      }
    }
    return counts;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#recovery.stop();
    await Promise.all(this.#turns.values());
    await Promise.all(Array.from(this.#owners.values(), (shard) => shard.close()));
    await this.#stop();
  }

  /** Ends the store as the death of the process would: what is only in memory is lost. For tests. */
  async abandon(): Promise<void> {
    this.#closing ??= this.#abandon();
    await this.#closing;
  }

  async #abandon(): Promise<void> {
    for (const shard of this.#owners.values()) failAll(shard, [], closedError("store"));
    await this.#stop();
  }

  async #stop(): Promise<void> {
    this.#upkeep.stop();
    this.#committer.stop(closedError("store"));
    await this.#recovery.stop();
    await this.#committer.idle();
    await this.#upkeep.idle();
    await this.#database.close();
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw closedError("store");
  }
}
