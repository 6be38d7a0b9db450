import { skipString, u16 } from "./bytes.ts";
import { parsePacket } from "./mqtt-packet.ts";
import type { Unsubscribe, UserProperties, Version } from "./packets.ts";
import { UNSUBSCRIBE, userProperties } from "./properties.ts";
import { malformed, protocolError } from "./reason.ts";

/** Decodes an UNSUBSCRIBE packet (3.10) in `buffer[start … end)` whose body starts at `body`. */
export function decodeUnsubscribe(
  buffer: Buffer,
  start: number,
  body: number,
  end: number,
  version: Version,
): Unsubscribe {
  const user = checkUnsubscribe(buffer, body, end, version);
  const packet = parsePacket("unsubscribe", buffer.subarray(start, end), version);
  return {
    type: "unsubscribe",
    packetId: u16(buffer, body),
    filters: packet.unsubscriptions,
    userProperties: user,
  };
}

function checkUnsubscribe(
  buffer: Buffer,
  body: number,
  end: number,
  version: Version,
): UserProperties {
  if (end - body < 2) throw malformed("UNSUBSCRIBE: no packet identifier");
  if (u16(buffer, body) === 0) {
    throw protocolError("UNSUBSCRIBE: packet identifier 0 [MQTT-2.2.1-3]");
  }
  let at = body + 2;
  let user: UserProperties = [];
  if (version === 5) ({ end: at, pairs: user } = userProperties(buffer, at, end, UNSUBSCRIBE));
  if (at === end) throw protocolError("UNSUBSCRIBE: no topic filter [MQTT-3.10.3-2]");
  while (at < end) at = skipString(buffer, at, end);
  return user;
}
