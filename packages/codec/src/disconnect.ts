import { u8 } from "./bytes.ts";
import { parsePacket } from "./mqtt-packet.ts";
import type { Disconnect, Version } from "./packets.ts";
import { DISCONNECT, userProperties } from "./properties.ts";
import { malformed, protocolError } from "./reason.ts";

/** Disconnect Reason Codes that a client may send (table 3-10). */
const FROM_CLIENT: ReadonlySet<number> = new Set([
  0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
]);

/** Decodes a DISCONNECT packet (3.14) in `buffer[start … end)` whose body starts at `body`. */
export function decodeDisconnect(
  buffer: Buffer,
  start: number,
  body: number,
  end: number,
  version: Version,
): Disconnect {
  const pairs = version === 5 ? checkDisconnect(buffer, body, end) : [];
  if (version !== 5 && body !== end) throw malformed("DISCONNECT: not empty");
  const packet = parsePacket("disconnect", buffer.subarray(start, end), version);
  return {
    type: "disconnect",
    reasonCode: packet.reasonCode ?? 0,
    sessionExpiry: packet.properties?.sessionExpiryInterval,
    reasonString: packet.properties?.reasonString,
    userProperties: pairs,
  };
}

/** Reason code and properties; both may be left out (3.14.2.1, 3.14.2.2.1). */
function checkDisconnect(buffer: Buffer, body: number, end: number): Disconnect["userProperties"] {
  if (body === end) return [];
  const reasonCode = u8(buffer, body);
  if (!FROM_CLIENT.has(reasonCode)) {
    throw protocolError(`DISCONNECT: reason code 0x${reasonCode.toString(16)} [MQTT-3.14.2-1]`);
  }
  if (body + 1 === end) return [];
  const user = userProperties(buffer, body + 1, end, DISCONNECT);
  if (user.end !== end) throw malformed("DISCONNECT: bytes behind the properties");
  return user.pairs;
}
