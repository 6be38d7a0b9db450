/**
 * What nodes say to each other, in bytes. A transport carries them as they are, so it knows
 * nothing of Raft. The first byte is the version of the format: a newer one is refused.
 *
 *   batch   u8 version, string from, varint disk, varint number of beats, the beats,
 *           varint number of hellos, the hellos, varint number of envelopes, and of each varint group and the message
 *   offer   u8 version, varint group, from, to and term, what the snapshot stands for, varint size
 */
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import type { Batch, Beat, Envelope, Hello, SnapshotOffer } from "../transport/port.ts";
import { readMeta, writeMeta } from "./configuration.ts";
import { readHello, writeHello } from "./hello.ts";
import { readMessage, writeMessage } from "./message.ts";

export const WIRE_VERSION = 1;

/** Shared: it is used within one call only. */
const writer = new ByteWriter(1 << 16);

export function encodeBatch(batch: Batch): Buffer {
  writer.reset();
  writer.u8(WIRE_VERSION);
  writer.string(batch.from);
  writer.varint(batch.disk);
  writer.varint(batch.beats.length);
  for (const beat of batch.beats) writeBeat(beat);
  writer.varint(batch.hellos.length);
  for (const hello of batch.hellos) writeHello(writer, hello);
  writer.varint(batch.envelopes.length);
  for (const { group, message } of batch.envelopes) {
    writer.varint(group);
    writeMessage(writer, message);
  }
  return writer.take();
}

/** The data of entries are views of `bytes`. Throws a DecodeError. */
export function decodeBatch(bytes: Buffer): Batch {
  const reader = begin(bytes);
  const from = reader.string();
  const disk = reader.varint();
  const beats: Beat[] = [];
  for (let left = reader.varint(); left > 0; left--) beats.push(readBeat(reader));
  const hellos: Hello[] = [];
  for (let left = reader.varint(); left > 0; left--) hellos.push(readHello(reader));
  const envelopes: Envelope[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    envelopes.push({ group: reader.varint(), message: readMessage(reader) });
  }
  reader.expectEnd();
  return { from, disk, envelopes, beats, hellos };
}

export function encodeOffer(offer: SnapshotOffer): Buffer {
  writer.reset();
  writer.u8(WIRE_VERSION);
  writer.varint(offer.group);
  writer.varint(offer.from);
  writer.varint(offer.to);
  writer.varint(offer.term);
  writeMeta(writer, offer.meta);
  writer.varint(offer.size);
  return writer.take();
}

/** Throws a DecodeError. */
export function decodeOffer(bytes: Buffer): SnapshotOffer {
  const reader = begin(bytes);
  const group = reader.varint();
  const from = reader.varint();
  const to = reader.varint();
  const term = reader.varint();
  const meta = readMeta(reader);
  const size = reader.varint();
  reader.expectEnd();
  return { group, from, to, term, meta, size };
}

function begin(bytes: Buffer): ByteReader {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== WIRE_VERSION) {
    throw new DecodeError(`wire format ${version}; this program speaks ${WIRE_VERSION}`);
  }
  return reader;
}

function writeBeat(beat: Beat): void {
  writer.u8(beat.kind);
  writer.varint(beat.group);
  writer.varint(beat.from);
  writer.varint(beat.to);
  writer.varint(beat.term);
  writer.varint(beat.commit);
  writer.varint(beat.context);
}

function readBeat(reader: ByteReader): Beat {
  const kind = readKind(reader);
  const group = reader.varint();
  const from = reader.varint();
  const to = reader.varint();
  const term = reader.varint();
  const commit = reader.varint();
  return { kind, group, from, to, term, commit, context: reader.varint() };
}

function readKind(reader: ByteReader): Beat["kind"] {
  const kind = reader.u8();
  if (kind > 4) throw new DecodeError(`no such beat: ${kind}`);
  return kind as Beat["kind"];
}
