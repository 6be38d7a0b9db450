// The only file that touches mqtt-packet: everything but PUBLISH and its plain acknowledgements
// goes through it, one complete packet at a time.
import { generate, type Packet, parser, writeToStream } from "mqtt-packet";
import type { Version } from "./packets.ts";
import { malformed } from "./reason.ts";

// Its cache holds a buffer for each of the 65,536 packet identifiers: memory for nothing here.
writeToStream.cacheNumbers = false;

export type PacketOf<Command extends Packet["cmd"]> = Extract<Packet, { cmd: Command }>;

/** Decodes one complete packet of this type. */
export function parsePacket<Command extends Packet["cmd"]>(
  command: Command,
  packet: Buffer,
  version: Version,
): PacketOf<Command> {
  const packets: Packet[] = [];
  const errors: Error[] = [];
  const reader = parser({ protocolVersion: version });
  reader.on("packet", (parsed) => packets.push(parsed));
  reader.on("error", (error: Error) => errors.push(error));
  reader.parse(packet);
  const [parsed] = packets;
  if (errors.length > 0 || parsed === undefined || packets.length > 1) {
    throw malformed(`${command}: ${errors[0]?.message ?? "not one packet"}`);
  }
  if (!isCommand(parsed, command)) throw malformed(`${command}: read as ${parsed.cmd}`);
  return parsed;
}

function isCommand<Command extends Packet["cmd"]>(
  packet: Packet,
  command: Command,
): packet is PacketOf<Command> {
  return packet.cmd === command;
}

export function generatePacket(packet: Packet, version: Version): Buffer {
  return generate(packet, { protocolVersion: version });
}
