/**
 * A command in the log: a byte that says what it is, then
 *
 *   0  the service's command
 *   1  varint client, varint sequence, the service's command
 *   2  varint client: the client's place in the table of sequences is given up
 */
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import type { Origin } from "./port.ts";

const PLAIN = 0;
const WITH_ORIGIN = 1;
const END_CLIENT = 2;

export type Command =
  | { readonly type: "plain"; readonly bytes: Uint8Array }
  | { readonly type: "origin"; readonly origin: Origin; readonly bytes: Uint8Array }
  | { readonly type: "endClient"; readonly client: number };

/** Shared: it is used within one call only. */
const writer = new ByteWriter(1 << 12);

export function encodeCommand(command: Uint8Array, origin: Origin | undefined): Buffer {
  writer.reset();
  if (origin === undefined) {
    writer.u8(PLAIN);
  } else {
    writer.u8(WITH_ORIGIN);
    writer.varint(origin.client);
    writer.varint(origin.sequence);
  }
  writer.raw(command);
  return writer.take();
}

export function encodeEndClient(client: number): Buffer {
  writer.reset();
  writer.u8(END_CLIENT);
  writer.varint(client);
  return writer.take();
}

/** The service's command is a view of `data`. Throws a DecodeError. */
export function decodeCommand(data: Uint8Array): Command {
  if (data[0] === PLAIN) return { type: "plain", bytes: data.subarray(1) };
  const reader = new ByteReader(asBuffer(data));
  const kind = reader.u8();
  const client = reader.varint();
  if (kind === WITH_ORIGIN) {
    const origin = { client, sequence: reader.varint() };
    return { type: "origin", origin, bytes: data.subarray(reader.position) };
  }
  if (kind !== END_CLIENT) throw new DecodeError(`no such kind of command: ${kind}`);
  reader.expectEnd();
  return { type: "endClient", client };
}

export function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
