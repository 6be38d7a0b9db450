// mqtt-packet as the second opinion.
import { generate, type Packet, parser } from "mqtt-packet";
import type { Version } from "../src/index.ts";

/** What mqtt-packet reads in these bytes; throws what it finds wrong. */
export function parseAll(bytes: Uint8Array, version: Version): Packet[] {
  const packets: Packet[] = [];
  const errors: Error[] = [];
  const reader = parser({ protocolVersion: version });
  reader.on("packet", (packet) => packets.push(packet));
  reader.on("error", (error: Error) => errors.push(error));
  const left = reader.parse(Buffer.from(bytes));
  if (errors[0] !== undefined) throw errors[0];
  if (left > 0) throw new Error(`${left} bytes behind the last packet`);
  return packets;
}

export function parseOne<Command extends Packet["cmd"]>(
  command: Command,
  bytes: Uint8Array,
  version: Version,
): Extract<Packet, { cmd: Command }> {
  const [packet, ...more] = parseAll(bytes, version);
  if (packet === undefined || more.length > 0) throw new Error("not one packet");
  if (packet.cmd !== command) throw new Error(`${packet.cmd} in place of ${command}`);
  return packet as Extract<Packet, { cmd: Command }>;
}

export function generateOne(packet: Packet, version: Version): Buffer {
  return generate(packet, { protocolVersion: version });
}
