/** What clients of a simulated cluster ask for, and its bytes. */
import { ByteReader, ByteWriter } from "@canopy/base";

export type Operation =
  | { readonly kind: "write"; readonly key: number; readonly value: number }
  | { readonly kind: "cas"; readonly key: number; readonly from: number; readonly value: number }
  | { readonly kind: "append"; readonly key: number; readonly value: number };

export interface Command {
  readonly client: number;
  /** 0 for one that is proposed without an origin. */
  readonly sequence: number;
  readonly operation: Operation;
}

const KINDS = ["write", "cas", "append"] as const;

export function encodeCommand(command: Command, padding: number): Uint8Array {
  const writer = new ByteWriter(64);
  const { operation } = command;
  writer.varint(command.client);
  writer.varint(command.sequence);
  writer.u8(KINDS.indexOf(operation.kind));
  writer.varint(operation.key);
  writer.varint(operation.value);
  writer.varint(operation.kind === "cas" ? operation.from : 0);
  // Commands of several sectors are torn at a crash.
  writer.bytes(Buffer.alloc(padding, command.sequence & 0xff));
  return writer.take();
}

export function decodeCommand(bytes: Uint8Array): Command {
  const reader = new ByteReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const client = reader.varint();
  const sequence = reader.varint();
  const kind = KINDS[reader.u8()];
  const key = reader.varint();
  const value = reader.varint();
  const from = reader.varint();
  reader.bytes();
  reader.expectEnd();
  if (kind === undefined) throw new RangeError("no such command");
  const operation: Operation = kind === "cas" ? { kind, key, from, value } : { kind, key, value };
  return { client, sequence, operation };
}
