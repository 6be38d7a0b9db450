import type { Disconnect } from "@canopy/codec";
import { REASON } from "@canopy/codec/reason";
import type { Connection } from "./connection.ts";

/** DISCONNECT (section 3.14). */
export function handleDisconnect<S>(c: Connection<S>, packet: Disconnect): void {
  if (c.connect === undefined) {
    c.fail(REASON.protocolError, "DISCONNECT before CONNECT");
    return;
  }
  const { sessionExpiry } = packet;
  if (sessionExpiry !== undefined && sessionExpiry !== 0 && (c.connect.sessionExpiry ?? 0) === 0) {
    // a session that was to end with its connection can't be made to last (3.14.2.2.2)
    c.fail(REASON.protocolError, "the Session Expiry Interval of CONNECT was 0");
    return;
  }
  c.end({
    reasonCode: packet.reasonCode,
    text: packet.reasonString ?? "",
    by: "client",
    // [MQTT-3.14.4-3] [MQTT-3.1.2-10]: only a normal disconnection discards the will
    will: packet.reasonCode === REASON.normalDisconnection ? "drop" : c.will,
    expiry:
      sessionExpiry === undefined
        ? undefined
        : Math.min(sessionExpiry, c.settings.maxSessionExpiry),
  });
}
