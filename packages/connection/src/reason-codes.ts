import { REASON } from "@canopy/codec/reason";

// The reason codes that a server may give each acknowledgement (the tables of chapter 3). What
// comes from stores and authorizers is brought to one of them here.

const PUBLISHED: ReadonlySet<number> = new Set([
  0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99,
]);
const SUBSCRIBED: ReadonlySet<number> = new Set([
  0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2,
]);
const UNSUBSCRIBED: ReadonlySet<number> = new Set([0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]);

/** Of PUBACK and PUBREC [MQTT-3.4.2-1] [MQTT-3.5.2-1]. */
export function publishedCode(reasonCode: number): number {
  return PUBLISHED.has(reasonCode) ? reasonCode : REASON.unspecifiedError;
}

/** Of SUBACK [MQTT-3.9.3-2]. */
export function subscribedCode(reasonCode: number): number {
  return SUBSCRIBED.has(reasonCode) ? reasonCode : REASON.unspecifiedError;
}

/** Of UNSUBACK [MQTT-3.11.3-2]. */
export function unsubscribedCode(reasonCode: number): number {
  return UNSUBSCRIBED.has(reasonCode) ? reasonCode : REASON.unspecifiedError;
}
