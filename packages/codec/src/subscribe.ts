import { skipString, u8, u16 } from "./bytes.ts";
import { parsePacket } from "./mqtt-packet.ts";
import type { Subscribe, UserProperties, Version } from "./packets.ts";
import { SUBSCRIBE, userProperties } from "./properties.ts";
import { malformed, protocolError } from "./reason.ts";

const SHARE = Buffer.from("$share/");

/** Decodes a SUBSCRIBE packet (3.8) in `buffer[start … end)` whose body starts at `body`. */
export function decodeSubscribe(
  buffer: Buffer,
  start: number,
  body: number,
  end: number,
  version: Version,
): Subscribe {
  const user = checkSubscribe(buffer, body, end, version);
  const packet = parsePacket("subscribe", buffer.subarray(start, end), version);
  return {
    type: "subscribe",
    packetId: u16(buffer, body),
    subscriptions: packet.subscriptions.map((one) => ({
      filter: one.topic,
      qos: one.qos,
      // mqtt-packet sets these for bridges of v3 too, by its own idea of what bridges want.
      noLocal: version === 5 && one.nl === true,
      retainAsPublished: version === 5 && one.rap === true,
      retainHandling: version === 5 ? ((one.rh ?? 0) as 0 | 1 | 2) : 0,
    })),
    subscriptionIdentifier: packet.properties?.subscriptionIdentifier,
    userProperties: user,
  };
}

function checkSubscribe(
  buffer: Buffer,
  body: number,
  end: number,
  version: Version,
): UserProperties {
  if (end - body < 2) throw malformed("SUBSCRIBE: no packet identifier");
  if (u16(buffer, body) === 0) throw protocolError("SUBSCRIBE: packet identifier 0 [MQTT-2.2.1-3]");
  let at = body + 2;
  let user: UserProperties = [];
  if (version === 5) ({ end: at, pairs: user } = userProperties(buffer, at, end, SUBSCRIBE));
  if (at === end) throw protocolError("SUBSCRIBE: no topic filter [MQTT-3.8.3-2]");
  while (at < end) {
    const filter = at;
    at = skipString(buffer, at, end);
    if (at === end) throw malformed("SUBSCRIBE: no subscription options");
    checkOptions(u8(buffer, at), version, isShared(buffer, filter + 2, at));
    at++;
  }
  return user;
}

/** Subscription Options (3.8.3.1). */
function checkOptions(options: number, version: Version, shared: boolean): void {
  const reserved = version === 5 ? 0xc0 : 0xfc;
  if ((options & reserved) !== 0) throw malformed("SUBSCRIBE: reserved bits [MQTT-3.8.3-5]");
  if ((options & 0x03) === 3) throw protocolError("SUBSCRIBE: QoS 3");
  if ((options & 0x30) === 0x30) throw protocolError("SUBSCRIBE: Retain Handling 3");
  if (shared && (options & 0x04) !== 0) {
    throw protocolError("SUBSCRIBE: No Local on a shared subscription [MQTT-3.8.3-4]");
  }
}

function isShared(buffer: Buffer, start: number, end: number): boolean {
  return (
    end - start >= SHARE.length &&
    buffer.compare(SHARE, 0, SHARE.length, start, start + SHARE.length) === 0
  );
}
