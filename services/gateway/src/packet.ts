import { encode, type ServerPacket, type Version } from "@canopy/codec";

/**
 * Encodes a packet within the client's Maximum Packet Size: Reason String and User Properties are
 * left out where they make it too large [MQTT-3.4.2-2]; undefined if it is too large without them
 * [MQTT-3.1.2-24].
 */
export function encodeWithin(
  packet: ServerPacket,
  version: Version,
  maximum: number,
): Buffer | undefined {
  const bytes = encode(packet, version);
  if (bytes.length <= maximum) return bytes;
  const {
    reasonString: _text,
    userProperties: _pairs,
    ...bare
  } = packet as ServerPacket & {
    reasonString?: string;
    userProperties?: unknown;
  };
  const shorter = encode(bare as ServerPacket, version);
  return shorter.length <= maximum ? shorter : undefined;
}

/** Whether a string with its length in front is what lies between `start` and `end`. */
export function sameBytes(wire: Buffer, buffer: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (wire.length - 2 !== length) return false;
  for (let i = 0; i < length; i++) if (wire[i + 2] !== buffer[start + i]) return false;
  return true;
}
