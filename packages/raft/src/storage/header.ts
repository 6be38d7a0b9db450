/**
 * The 32 bytes at the start of every segment:
 * name of the format (8), version (u32), number of the segment (u64), salt (8), CRC-32C of these (u32).
 */
import { ByteReader, ByteWriter, crc32c, type Random, randomInt } from "@canopy/base";
import { damaged, newer } from "./damage.ts";

export const HEADER_BYTES = 32;
export const SALT_BYTES = 8;
/** Of segments and of snapshot files. */
export const FORMAT_VERSION = 1;
const CRC_AT = HEADER_BYTES - 4;
const NAME = "CANOPYWL";

export interface SegmentHeader {
  readonly number: number;
  /**
   * Random, part of every checksum in the file: neither what an earlier life of the file left there
   * nor what a client made to look like it passes for content.
   */
  readonly salt: Buffer;
}

export function newSalt(random: Random): Buffer {
  const salt = Buffer.allocUnsafe(SALT_BYTES);
  salt.writeUInt32BE(randomInt(random, 2 ** 32), 0);
  salt.writeUInt32BE(randomInt(random, 2 ** 32), 4);
  return salt;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const w = new ByteWriter(HEADER_BYTES);
  w.raw(Buffer.from(NAME, "latin1"));
  w.u32(FORMAT_VERSION);
  w.u64(header.number);
  w.raw(header.salt);
  w.u32(crc32c(w.view()));
  return w.take();
}

/** A header is on the disk before its file gets a segment's name, so a bad one is damage. */
export function decodeHeader(file: string, bytes: Buffer): SegmentHeader {
  if (bytes.length < HEADER_BYTES) throw damaged(file, 0, "no whole header");
  if (bytes.toString("latin1", 0, NAME.length) !== NAME) {
    throw damaged(file, 0, `not a ${NAME} file`);
  }
  // First, for a flipped bit is no newer format. So every format has its checksum at this place.
  if (crc32c(bytes, 0, CRC_AT) !== bytes.readUInt32BE(CRC_AT)) {
    throw damaged(file, 0, "bad checksum of the header");
  }
  const r = new ByteReader(bytes, NAME.length, HEADER_BYTES);
  const version = r.u32();
  if (version > FORMAT_VERSION) throw newer(file, 8, version, FORMAT_VERSION);
  return { number: r.u64(), salt: Buffer.from(r.raw(SALT_BYTES)) };
}
