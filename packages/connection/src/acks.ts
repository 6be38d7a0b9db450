import type { AckView } from "@canopy/codec";
import { REASON } from "@canopy/codec/reason";
import type { Connection } from "./connection.ts";
import { DELIVERY } from "./delivery.ts";
import { INBOUND } from "./publish.ts";

/** PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7). */
export function handleAck<S>(c: Connection<S>, view: AckView): void {
  switch (view.type) {
    case 4:
      puback(c, view);
      break;
    case 5:
      pubrec(c, view);
      break;
    case 6:
      pubrel(c, view.packetId);
      break;
    default:
      pubcomp(c, view.packetId);
  }
}

function puback<S>(c: Connection<S>, view: AckView): void {
  const delivery = c.window.get(view.packetId);
  // one that nobody waits for is an old one, or the client's error; it means nothing
  if (delivery === undefined || delivery.qos !== 1 || delivery.state !== DELIVERY.sent) return;
  c.window.remove(view.packetId);
  delivery.state = DELIVERY.finished;
  c.effects.finished(delivery, view.reasonCode);
}

function pubrec<S>(c: Connection<S>, view: AckView): void {
  const { packetId, reasonCode } = view;
  const delivery = c.window.get(packetId);
  if (delivery === undefined || delivery.qos !== 2 || delivery.state === DELIVERY.assigning) {
    const notFound = c.version === 5 ? REASON.packetIdentifierNotFound : REASON.success;
    if (reasonCode < 0x80) c.effects.ack(6, packetId, notFound);
  } else if (delivery.state === DELIVERY.released) {
    c.effects.ack(6, packetId, REASON.success);
  } else if (delivery.state === DELIVERY.sent) {
    if (reasonCode >= 0x80) {
      // [MQTT-4.3.3-4] ends here: the identifier is free, there is no PUBREL
      c.window.remove(packetId);
      delivery.state = DELIVERY.finished;
      c.effects.finished(delivery, reasonCode);
    } else {
      delivery.state = DELIVERY.receiving;
      c.effects.received(delivery);
    }
  }
}

function pubrel<S>(c: Connection<S>, packetId: number): void {
  const state = c.inbound.get(packetId);
  if (state === undefined) {
    // One whose PUBCOMP an earlier connection did not bring home is sent again: no error (3.7.2.1),
    // and there are clients that report the reason code as one.
    const isError = c.version === 5 && !c.resumed;
    c.effects.ack(7, packetId, isError ? REASON.packetIdentifierNotFound : REASON.success);
  } else if (state === INBOUND.pending) {
    c.fail(REASON.protocolError, "PUBREL before PUBREC");
  } else if (state === INBOUND.stored || state === INBOUND.restored) {
    const restored = state === INBOUND.restored;
    c.setInbound(packetId, restored ? INBOUND.restoredReleasing : INBOUND.releasing);
    c.effects.forget(packetId);
  }
}

function pubcomp<S>(c: Connection<S>, packetId: number): void {
  const delivery = c.window.get(packetId);
  if (delivery === undefined || delivery.state !== DELIVERY.released) return;
  delivery.state = DELIVERY.completing;
  c.effects.completed(delivery);
}
