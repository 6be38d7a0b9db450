/** What nodes say to each other beside the messages of groups that run on both, in bytes. */
import { type ByteReader, type ByteWriter, DecodeError } from "@canopy/base";
import type { Hello } from "../transport/port.ts";
import { readMembers, writeMembers } from "./configuration.ts";

/** The place in this list is the byte on the wire. */
const TYPES = [
  "ask",
  "answer",
  "founding",
  "founded",
  "absent",
  "started",
] as const satisfies readonly Hello["type"][];

export function writeHello(writer: ByteWriter, hello: Hello): void {
  writer.u8(TYPES.indexOf(hello.type));
  switch (hello.type) {
    case "ask":
    case "answer":
      writer.varint(hello.token);
      return;
    case "founding":
      writer.varint(hello.group);
      writer.varint(hello.from);
      writeMembers(writer, hello.members);
      return;
    case "founded":
      writer.varint(hello.group);
      writeMembers(writer, hello.members);
      return;
    case "absent":
      writer.varint(hello.group);
      return;
    case "started":
      return;
  }
}

export function readHello(reader: ByteReader): Hello {
  const byte = reader.u8();
  const type = TYPES[byte];
  if (type === undefined) throw new DecodeError(`no such hello: ${byte}`);
  if (type === "ask" || type === "answer") return { type, token: reader.varint() };
  if (type === "started") return { type };
  const group = reader.varint();
  if (type === "absent") return { type, group };
  if (type === "founded") return { type, group, members: readMembers(reader) };
  const from = reader.varint();
  return { type, group, from, members: readMembers(reader) };
}
