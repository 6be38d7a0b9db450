/** The snapshot files of all groups, in the folder of the log. */
import { join } from "node:path";
import type { Logger, Random } from "@canopy/base";
import type { LogIndex, SnapshotMeta } from "../core/types.ts";
import { damaged, misnamed, missing } from "./damage.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { newSalt } from "./header.ts";
import type {
  GroupId,
  SnapshotFiles,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotWriter,
} from "./port.ts";
import {
  ChunkWriter,
  parseSnapshotName,
  readChunks,
  readHead,
  snapshotName,
} from "./snapshot-file.ts";

export interface SnapshotOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly random: Random;
  readonly logger: Logger;
}

interface Named {
  readonly path: string;
  readonly meta: SnapshotMeta;
  readers: number;
  /** Not wanted any more; removed with the last reader. */
  pruned: boolean;
}

/** What came of one that a leader sends. */
interface Partial {
  readonly path: string;
  readonly meta: SnapshotMeta;
  readonly size: number;
  received: number;
  open: boolean;
}

export class SnapshotFolder implements SnapshotFiles {
  readonly #options: SnapshotOptions;
  readonly #files = new Map<GroupId, Map<LogIndex, Named>>();
  readonly #partials = new Map<GroupId, Partial>();
  #asides = 0;

  constructor(options: SnapshotOptions) {
    this.#options = options;
  }

  /** Reads the heads of those that there are, and removes what was not finished. */
  async start(): Promise<void> {
    const { disk, directory } = this.#options;
    for (const name of await disk.list(directory)) {
      const path = join(directory, name);
      if (name.endsWith(".tmp") || name.endsWith(".part")) await disk.remove(path);
      const named = parseSnapshotName(name);
      if (named === undefined) continue;
      const meta = await readMetaOf(disk, path);
      if (meta.index !== named.index) throw misnamed(path, meta.index);
      this.#add(named.group, path, meta);
    }
  }

  get groups(): readonly GroupId[] {
    return [...this.#files.keys()];
  }

  /** Ascending. */
  of(group: GroupId): readonly SnapshotMeta[] {
    const metas = Array.from(this.#files.get(group)?.values() ?? [], ({ meta }) => meta);
    return metas.sort((a, b) => a.index - b.index);
  }

  newest(group: GroupId): SnapshotMeta | undefined {
    return this.of(group).at(-1);
  }

  async create(group: GroupId, meta: SnapshotMeta): Promise<SnapshotWriter> {
    const { disk, random } = this.#options;
    const aside = this.#aside(group, meta, "tmp");
    const abort = async (writer?: ChunkWriter): Promise<void> => {
      await writer?.abort();
      // It takes room that the log may be waiting for. If it can't be removed now, the next start does.
      await disk.remove(aside).catch(() => {});
    };
    const guarded = async <T>(what: () => Promise<T>, writer?: ChunkWriter): Promise<T> => {
      try {
        return await what();
      } catch (error) {
        await abort(writer);
        throw error;
      }
    };
    const writer = await guarded(() => ChunkWriter.begin(disk, aside, meta, newSalt(random)));
    return {
      write: (chunk) => guarded(() => writer.write(chunk), writer),
      finish: () =>
        guarded(async () => {
          await writer.finish();
          await this.#name(group, meta, aside);
        }, writer),
      abort: () => abort(writer),
    };
  }

  async read(group: GroupId, index: LogIndex): Promise<SnapshotReader> {
    const { disk, directory } = this.#options;
    const named = this.#files.get(group)?.get(index);
    if (named === undefined || named.pruned) {
      throw missing(join(directory, snapshotName(group, index)), "this snapshot is not there");
    }
    named.readers++;
    try {
      const file = await disk.open(named.path);
      return await this.#reader(group, named, file);
    } catch (error) {
      await this.#leave(group, named);
      throw error;
    }
  }

  async #reader(group: GroupId, named: Named, file: DiskFile): Promise<SnapshotReader> {
    const { path, meta } = named;
    let closed = false;
    const close = async (): Promise<void> => {
      if (closed) return;
      closed = true;
      await file.close();
      await this.#leave(group, named);
    };
    try {
      const head = await readHead(file, path);
      return {
        meta,
        size: await file.size(),
        part: (position, length) => file.read(position, length),
        chunks: () => readChunks(file, path, head),
        close,
      };
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  async receive(group: GroupId, meta: SnapshotMeta, size: number): Promise<SnapshotReceiver> {
    const { disk } = this.#options;
    const partial = await this.#partial(group, meta, size);
    const file = await (partial.received > 0 ? disk.open(partial.path) : disk.create(partial.path));
    partial.open = true;
    const close = async (): Promise<void> => {
      if (!partial.open) return;
      partial.open = false;
      await file.close();
    };
    return {
      get received(): number {
        return partial.received;
      },
      part: async (position, bytes) => {
        if (!partial.open || position !== partial.received) {
          throw new Error(`part at ${position} where ${partial.received} was expected`);
        }
        await file.write(bytes, position);
        partial.received += bytes.length;
      },
      finish: async () => {
        try {
          const whole = await this.#check(file, partial);
          await file.sync();
          await close();
          await this.#name(group, whole, partial.path);
          this.#partials.delete(group);
        } catch (error) {
          await close().catch(() => {});
          await this.#forget(group);
          throw error;
        }
      },
      close,
    };
  }

  /** The one that was interrupted, if it is the same; else the beginning of one. */
  async #partial(group: GroupId, meta: SnapshotMeta, size: number): Promise<Partial> {
    const known = this.#partials.get(group);
    if (known?.open) throw new Error(`group ${group} is being sent a snapshot already`);
    const isSame =
      known?.meta.index === meta.index && known.meta.term === meta.term && known.size === size;
    if (isSame) return known;
    await this.#forget(group);
    const path = this.#aside(group, meta, "part");
    const partial = { path, meta, size, received: 0, open: false };
    this.#partials.set(group, partial);
    return partial;
  }

  async #check(file: DiskFile, { path, meta, size }: Partial): Promise<SnapshotMeta> {
    const there = await file.size();
    if (there !== size) throw damaged(path, there, `${size} bytes were announced`);
    const head = await readHead(file, path);
    if (head.meta.index !== meta.index || head.meta.term !== meta.term) {
      throw damaged(path, 0, "another snapshot than was announced");
    }
    for await (const _ of readChunks(file, path, head)) continue;
    return head.meta;
  }

  async #forget(group: GroupId): Promise<void> {
    const partial = this.#partials.get(group);
    this.#partials.delete(group);
    if (partial !== undefined) await this.#options.disk.remove(partial.path).catch(() => {});
  }

  async prune(group: GroupId, index: LogIndex): Promise<void> {
    for (const named of this.#files.get(group)?.values() ?? []) {
      if (named.meta.index < index) await this.#prune(group, named);
    }
  }

  /** All of a group, also what is newer than its log. */
  async drop(group: GroupId, keep?: (meta: SnapshotMeta) => boolean): Promise<void> {
    await this.#forget(group);
    for (const named of this.#files.get(group)?.values() ?? []) {
      if (keep?.(named.meta) === true) continue;
      await this.#prune(group, named);
      // Back after a crash, it could be taken for one of a later group with the same number.
      await this.#options.disk.syncDirectory(this.#options.directory);
    }
  }

  async #prune(group: GroupId, named: Named): Promise<void> {
    named.pruned = true;
    if (named.readers > 0) return;
    const files = this.#files.get(group);
    // Another one may have its name by now.
    if (files?.get(named.meta.index) !== named) return;
    files.delete(named.meta.index);
    if (files.size === 0) this.#files.delete(group);
    await this.#options.disk.remove(named.path);
  }

  async #leave(group: GroupId, named: Named): Promise<void> {
    named.readers--;
    if (named.pruned) await this.#prune(group, named).catch(() => {});
  }

  async #name(group: GroupId, meta: SnapshotMeta, aside: string): Promise<void> {
    const { disk, directory } = this.#options;
    const path = join(directory, snapshotName(group, meta.index));
    await disk.rename(aside, path);
    await disk.syncDirectory(directory);
    this.#add(group, path, meta);
  }

  #add(group: GroupId, path: string, meta: SnapshotMeta): void {
    let files = this.#files.get(group);
    if (files === undefined) this.#files.set(group, (files = new Map()));
    files.set(meta.index, { path, meta, readers: 0, pruned: false });
  }

  #aside(group: GroupId, meta: SnapshotMeta, ending: string): string {
    const name = `${snapshotName(group, meta.index)}.${++this.#asides}.${ending}`;
    return join(this.#options.directory, name);
  }
}

async function readMetaOf(disk: Disk, path: string): Promise<SnapshotMeta> {
  const file = await disk.open(path);
  try {
    return (await readHead(file, path)).meta;
  } finally {
    await file.close();
  }
}
