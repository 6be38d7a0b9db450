import { u8 } from "./bytes.ts";
import { copyOf } from "./connect.ts";
import { parsePacket } from "./mqtt-packet.ts";
import type { Auth, UserProperties } from "./packets.ts";
import { AUTH, userProperties } from "./properties.ts";
import { malformed, protocolError, REASON } from "./reason.ts";

/** Decodes an AUTH packet (3.15) in `buffer[start … end)` whose body starts at `body`. */
export function decodeAuth(buffer: Buffer, start: number, body: number, end: number): Auth {
  const user = checkAuth(buffer, body, end);
  const { reasonCode, properties } = parsePacket("auth", buffer.subarray(start, end), 5);
  if (properties?.authenticationMethod === undefined) {
    throw protocolError("AUTH: no authentication method");
  }
  const data = properties.authenticationData;
  return {
    type: "auth",
    reasonCode,
    authenticationMethod: properties.authenticationMethod,
    authenticationData: data && copyOf(data),
    reasonString: properties.reasonString,
    userProperties: user,
  };
}

function checkAuth(buffer: Buffer, body: number, end: number): UserProperties {
  // An empty AUTH means Success, and that is the server's to say.
  const reasonCode = body === end ? REASON.success : u8(buffer, body);
  if (reasonCode !== REASON.continueAuthentication && reasonCode !== REASON.reAuthenticate) {
    throw protocolError(`AUTH: reason code 0x${reasonCode.toString(16)} [MQTT-3.15.2-1]`);
  }
  if (body + 1 === end) throw protocolError("AUTH: no authentication method");
  const user = userProperties(buffer, body + 1, end, AUTH);
  if (user.end !== end) throw malformed("AUTH: bytes behind the properties");
  return user.pairs;
}
