/**
 * A snapshot file: a head, then the chunks, then a chunk of length 0.
 *
 *   head   name of the format (8), version (u32), salt (8), bytes of the meta (u32), CRC-32C of
 *          these and the meta (u32), meta: index, term, configuration
 *   chunk  length (u32), CRC-32C of salt, number and content (u32), content
 *
 * It is written aside and gets its name when all of it is on the disk, so one that has its name
 * and isn't whole is damaged.
 */
import { ByteReader, ByteWriter, crc32c } from "@canopy/base";
import type { SnapshotMeta } from "../core/types.ts";
import { readMeta, writeMeta } from "../wire/configuration.ts";
import { damaged, newer } from "./damage.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { FORMAT_VERSION, SALT_BYTES } from "./header.ts";
import type { GroupId } from "./port.ts";

const FORMAT = "CANOPYRS";
const HEAD_BYTES = 28;
const CRC_AT = 24;
const CHUNK_HEADER_BYTES = 8;
/** Synced in parts: the log's own syncs wait behind what has collected. */
const SYNC_BYTES = 4 * 1024 * 1024;
const NAME = /^snapshot-(\d+)-(\d{16})\.snap$/;

export interface SnapshotHead {
  readonly meta: SnapshotMeta;
  readonly salt: Buffer;
  /** Where the first chunk is. */
  readonly end: number;
}

export function snapshotName(group: GroupId, index: number): string {
  return `snapshot-${group}-${String(index).padStart(16, "0")}.snap`;
}

export function parseSnapshotName(name: string): { group: GroupId; index: number } | undefined {
  const [, group, index] = NAME.exec(name) ?? [];
  return index === undefined ? undefined : { group: Number(group), index: Number(index) };
}

function encodeHead(meta: SnapshotMeta, salt: Buffer): Buffer {
  const w = new ByteWriter();
  w.raw(Buffer.from(FORMAT, "latin1"));
  w.u32(FORMAT_VERSION);
  w.raw(salt);
  const at = w.gap(8);
  writeMeta(w, meta);
  w.patchU32(at, w.length - HEAD_BYTES);
  w.patchU32(at + 4, headChecksum(w.view()));
  return w.take();
}

function headChecksum(head: Buffer): number {
  return crc32c(head, HEAD_BYTES, head.length, crc32c(head, 0, CRC_AT));
}

export async function readHead(file: DiskFile, path: string): Promise<SnapshotHead> {
  const fixed = await file.read(0, HEAD_BYTES);
  if (fixed.length < HEAD_BYTES) throw damaged(path, 0, "no whole header");
  if (fixed.toString("latin1", 0, FORMAT.length) !== FORMAT) {
    throw damaged(path, 0, `not a ${FORMAT} file`);
  }
  const end = HEAD_BYTES + fixed.readUInt32BE(CRC_AT - 4);
  const head = end > (await file.size()) ? fixed : await file.read(0, end);
  if (headChecksum(head) !== head.readUInt32BE(CRC_AT)) {
    throw damaged(path, 0, "bad checksum of the header");
  }
  // Only now, for a flipped bit is no newer format.
  const version = fixed.readUInt32BE(8);
  if (version > FORMAT_VERSION) throw newer(path, 8, version, FORMAT_VERSION);
  const r = new ByteReader(head, HEAD_BYTES, end);
  return { meta: readMeta(r), salt: Buffer.from(head.subarray(12, 12 + SALT_BYTES)), end };
}

/** Writes the file from start to end, synced in parts. */
export class ChunkWriter {
  readonly #file: DiskFile;
  readonly #salt: Buffer;
  #at = 0;
  #synced = 0;
  #number = 0;

  private constructor(file: DiskFile, salt: Buffer) {
    this.#file = file;
    this.#salt = salt;
  }

  static async begin(
    disk: Disk,
    path: string,
    meta: SnapshotMeta,
    salt: Buffer,
  ): Promise<ChunkWriter> {
    const file = await disk.create(path);
    const writer = new ChunkWriter(file, salt);
    try {
      await writer.#put(encodeHead(meta, salt));
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    return writer;
  }

  /** An empty one is left out: it would be the end. */
  async write(chunk: Uint8Array): Promise<void> {
    if (chunk.length > 0) await this.#chunk(chunk);
  }

  /** All of it is on the disk then. */
  async finish(): Promise<void> {
    await this.#chunk(new Uint8Array(0));
    await this.#file.sync();
    await this.#file.close();
  }

  async abort(): Promise<void> {
    await this.#file.close().catch(() => {});
  }

  async #chunk(chunk: Uint8Array): Promise<void> {
    const framed = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + chunk.length);
    framed.writeUInt32BE(chunk.length, 0);
    framed.writeUInt32BE(chunkChecksum(this.#salt, this.#number++, chunk), 4);
    framed.set(chunk, CHUNK_HEADER_BYTES);
    await this.#put(framed);
  }

  async #put(bytes: Buffer): Promise<void> {
    await this.#file.write(bytes, this.#at);
    this.#at += bytes.length;
    if (this.#at - this.#synced < SYNC_BYTES) return;
    await this.#file.sync();
    this.#synced = this.#at;
  }
}

/** The chunk's number is in it, so that chunks can't change places or be missing. */
function chunkChecksum(salt: Buffer, number: number, chunk: Uint8Array): number {
  const place = Buffer.allocUnsafe(4);
  place.writeUInt32BE(number, 0);
  return crc32c(chunk, 0, chunk.length, crc32c(place, 0, 4, crc32c(salt)));
}

/** Throws a StorageError where the file is damaged. */
export async function* readChunks(
  file: DiskFile,
  path: string,
  { salt, end }: SnapshotHead,
): AsyncGenerator<Uint8Array, undefined> {
  const size = await file.size();
  for (let at = end, number = 0; ; number++) {
    const head = await file.read(at, CHUNK_HEADER_BYTES);
    if (head.length < CHUNK_HEADER_BYTES) throw damaged(path, at, "the snapshot ends here");
    const length = head.readUInt32BE(0);
    const isWhole = length <= size - at - CHUNK_HEADER_BYTES;
    const chunk = isWhole ? await file.read(at + CHUNK_HEADER_BYTES, length) : undefined;
    if (chunk === undefined || chunkChecksum(salt, number, chunk) !== head.readUInt32BE(4)) {
      throw damaged(path, at, "bad chunk of a snapshot");
    }
    at += CHUNK_HEADER_BYTES + length;
    if (length === 0) {
      if (at !== size) throw damaged(path, at, "something behind the end of the snapshot");
      return undefined;
    }
    yield chunk;
  }
}
