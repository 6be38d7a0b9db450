import type { Unsubscribe } from "@canopy/codec";
import { REASON } from "@canopy/codec/reason";
import { parseFilter } from "@canopy/topic";
import type { Connection } from "./connection.ts";
import { unsubscribedCode } from "./reason-codes.ts";

/** UNSUBSCRIBE (section 3.10): always answered [MQTT-3.10.4-4] [MQTT-3.10.4-5]. */
export function handleUnsubscribe<S>(c: Connection<S>, packet: Unsubscribe): void {
  const codes: number[] = [];
  const filters: string[] = [];
  const places: number[] = [];
  for (const filter of packet.filters) {
    if (parseFilter(filter).ok) {
      places.push(codes.length);
      filters.push(filter);
      codes.push(REASON.success);
    } else {
      codes.push(REASON.topicFilterInvalid);
    }
  }
  const answer = (results: readonly number[]): void => {
    for (const [i, place] of places.entries())
      codes[place] = unsubscribedCode(results[i] as number);
    if (c.phase !== "open") return;
    c.effects.send({ type: "unsuback", packetId: packet.packetId, reasonCodes: codes }); // [MQTT-3.11.3-1]
  };
  if (filters.length === 0) answer([]);
  else c.effects.unsubscribe(filters, answer);
}
