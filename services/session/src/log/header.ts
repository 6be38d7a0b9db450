/**
 * The 32 bytes at the start of every file:
 * name of the format (8), version (u32), a log index (u64), salt (8), CRC-32C of these (u32).
 */
import { randomBytes } from "node:crypto";
import { ByteReader, ByteWriter, crc32c } from "@canopy/base";
import { LogError } from "./damage.ts";

export const HEADER_BYTES = 32;
const CRC_AT = HEADER_BYTES - 4;
const SALT_BYTES = 8;
const VERSION = 1;

export type Format = "CANOPYLG" | "CANOPYSN";

export interface Header {
  readonly index: number;
  /**
   * Random, part of every checksum in the file: neither what an earlier file left on the disk nor
   * what a client made to look like it passes for content.
   */
  readonly salt: Buffer;
}

export function newHeader(index: number): Header {
  return { index, salt: randomBytes(SALT_BYTES) };
}

export function encodeHeader(format: Format, header: Header): Buffer {
  const w = new ByteWriter(HEADER_BYTES);
  w.raw(Buffer.from(format, "latin1"));
  w.u32(VERSION);
  w.u64(header.index);
  w.raw(header.salt);
  w.u32(crc32c(w.view()));
  return w.take();
}

/** Headers are on disk before a file gets its name, so a bad one is damage. */
export function decodeHeader(format: Format, file: string, bytes: Buffer): Header {
  if (bytes.length < HEADER_BYTES) throw new LogError("damaged", file, 0, "no whole header");
  if (bytes.toString("latin1", 0, format.length) !== format) {
    throw new LogError("damaged", file, 0, `not a ${format} file`);
  }
  const r = new ByteReader(bytes, format.length, HEADER_BYTES);
  const version = r.u32();
  if (version > VERSION) {
    throw new LogError("newer", file, 8, `format ${version}; this program knows up to ${VERSION}`);
  }
  if (crc32c(bytes, 0, CRC_AT) !== bytes.readUInt32BE(CRC_AT)) {
    throw new LogError("damaged", file, 0, "bad checksum of the header");
  }
  return { index: r.u64(), salt: Buffer.from(r.raw(SALT_BYTES)) };
}
