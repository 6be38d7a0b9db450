/**
 * A snapshot on disk: a header with the index of the last command in it, then the chunks
 * (u32 length, CRC-32C of salt, number and content, content), then a chunk of length 0.
 *
 * It is written aside and gets its name when all of it is on the disk, so one that has its name
 * and isn't whole is damaged.
 */
import { join } from "node:path";
import { crc32c } from "@canopy/base";
import { LogError } from "./damage.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { decodeHeader, encodeHeader, HEADER_BYTES, newHeader } from "./header.ts";

const NAME = /^snapshot-(\d{16})\.snap$/;
const CHUNK_HEADER_BYTES = 8;
/** Synced in parts: the log's own syncs wait behind what has collected. */
const SYNC_BYTES = 4 * 1024 * 1024;

export function snapshotName(index: number): string {
  return `snapshot-${String(index).padStart(16, "0")}.snap`;
}

/** The index of the last command in a snapshot, from its file name. */
export function snapshotIndex(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Returns the size of the file. `chunks` is ended in any case. */
export async function writeSnapshot(
  disk: Disk,
  directory: string,
  index: number,
  chunks: IterableIterator<Uint8Array>,
): Promise<number> {
  const path = join(directory, snapshotName(index));
  const aside = `${path}.tmp`;
  try {
    const size = await writeAside(disk, aside, index, chunks);
    await disk.rename(aside, path);
    await disk.syncDirectory(directory);
    return size;
  } catch (error) {
    // It takes room that the log may be waiting for. If it can't be removed now, the next start does.
    await disk.remove(aside).catch(() => {});
    throw error;
  } finally {
    chunks.return?.();
  }
}

async function writeAside(
  disk: Disk,
  path: string,
  index: number,
  chunks: Iterable<Uint8Array>,
): Promise<number> {
  const file = await disk.create(path);
  try {
    const { salt } = await writeHeader(file, index);
    let at = HEADER_BYTES;
    let number = 0;
    let synced = 0;
    for (const chunk of chunks) {
      at += await writeChunk(file, at, salt, number++, chunk);
      if (at - synced < SYNC_BYTES) continue;
      await file.sync();
      synced = at;
    }
    at += await writeChunk(file, at, salt, number, new Uint8Array(0));
    await file.sync();
    return at;
  } finally {
    await file.close();
  }
}

async function writeHeader(file: DiskFile, index: number): Promise<{ readonly salt: Buffer }> {
  const header = newHeader(index);
  await file.write(encodeHeader("CANOPYSN", header), 0);
  return header;
}

async function writeChunk(
  file: DiskFile,
  at: number,
  salt: Buffer,
  number: number,
  chunk: Uint8Array,
): Promise<number> {
  const framed = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + chunk.length);
  framed.writeUInt32BE(chunk.length, 0);
  framed.writeUInt32BE(checksum(salt, number, chunk), 4);
  framed.set(chunk, CHUNK_HEADER_BYTES);
  await file.write(framed, at);
  return framed.length;
}

/** The chunk's number is in it, so that chunks can't change places or be missing. */
function checksum(salt: Buffer, number: number, chunk: Uint8Array): number {
  const place = Buffer.allocUnsafe(4);
  place.writeUInt32BE(number, 0);
  return crc32c(chunk, 0, chunk.length, crc32c(place, 0, 4, crc32c(salt)));
}

/** Gives the chunks to `visit`, one by one. */
export async function readSnapshot(
  disk: Disk,
  path: string,
  visit: (chunk: Buffer) => void,
): Promise<void> {
  const file = await disk.open(path);
  try {
    const { salt } = decodeHeader("CANOPYSN", path, await file.read(0, HEADER_BYTES));
    let at = HEADER_BYTES;
    for (let number = 0; ; number++) {
      const chunk = await readChunk(file, path, at, salt, number);
      if (chunk.length === 0) break;
      visit(chunk);
      at += CHUNK_HEADER_BYTES + chunk.length;
    }
  } finally {
    await file.close();
  }
}

async function readChunk(
  file: DiskFile,
  path: string,
  at: number,
  salt: Buffer,
  number: number,
): Promise<Buffer> {
  const head = await file.read(at, CHUNK_HEADER_BYTES);
  if (head.length < CHUNK_HEADER_BYTES) throw new LogError("damaged", path, at, "it ends here");
  const length = head.readUInt32BE(0);
  const left = (await file.size()) - at - CHUNK_HEADER_BYTES;
  const chunk = length > left ? undefined : await file.read(at + CHUNK_HEADER_BYTES, length);
  if (chunk === undefined || checksum(salt, number, chunk) !== head.readUInt32BE(4)) {
    throw new LogError("damaged", path, at, "bad chunk of a snapshot");
  }
  return chunk;
}
