import type { PublishView } from "@canopy/codec";
import { REASON } from "@canopy/codec/reason";
import { type Topic, validUtf8 } from "@canopy/topic";
import type { Connection } from "./connection.ts";

/** Where a QoS 2 PUBLISH of the client stands, from PUBLISH to PUBCOMP. */
export const INBOUND = {
  /** Its answer is awaited. */
  pending: 0,
  /** PUBREC is sent. */
  stored: 1,
  /** PUBREL has come; the receipt is being removed. */
  releasing: 2,
  /** Stored on an earlier connection: it does not count against this one's Receive Maximum. */
  restored: 3,
  restoredReleasing: 4,
} as const;

const DOLLAR = 0x24;

/** PUBLISH (section 3.3). The hot path: a message that is in order costs a few comparisons here. */
export function handlePublish<S>(c: Connection<S>, view: PublishView): void {
  const topic = topicOf(c, view);
  if (topic === undefined) return;
  const { settings } = c;
  if (view.qos > settings.maximumQos) {
    c.fail(REASON.qosNotSupported, `the highest QoS here is ${settings.maximumQos}`); // [MQTT-3.2.2-11]
    return;
  }
  if (view.retain && !settings.retainAvailable) {
    c.fail(REASON.retainNotSupported, "retained messages are not supported"); // [MQTT-3.2.2-14]
    return;
  }
  const refusal = refuse(c, view, topic);
  if (view.qos !== 0) acknowledged(c, view, topic, refusal);
  else if (refusal === 0) c.effects.publish(view, topic, -1);
  else c.effects.dropped(reasonOf(refusal));
}

/** The topic by name or by alias; the connection ends and undefined comes back where there is none. */
function topicOf<S>(c: Connection<S>, view: PublishView): Topic | undefined {
  const alias = view.topicAlias;
  if (alias === 0 || alias > c.settings.topicAliasMaximum) {
    // [MQTT-3.3.2-8] [MQTT-3.3.2-9]
    c.fail(REASON.topicAliasInvalid, `a topic alias is 1 to ${c.settings.topicAliasMaximum} here`);
    return undefined;
  }
  if (view.topicStart === view.topicEnd) {
    const known = alias === -1 ? undefined : c.aliasesIn.get(alias);
    if (known === undefined) c.fail(REASON.protocolError, "no topic name, and no alias for one");
    return known;
  }
  const topic = c.effects.intern(view.buffer, view.topicStart, view.topicEnd);
  if (topic === undefined) {
    badTopic(c, view);
    return undefined;
  }
  if (alias !== -1) c.aliasesIn.set(alias, topic);
  return topic;
}

function badTopic<S>(c: Connection<S>, view: PublishView): void {
  if (validUtf8(view.buffer, view.topicStart, view.topicEnd)) {
    c.fail(REASON.topicNameInvalid, "a topic name has no wildcards"); // [MQTT-3.3.2-2]
  } else {
    c.fail(REASON.malformedPacket, "the topic name is not well-formed UTF-8"); // [MQTT-1.5.4-1]
  }
}

/** The reason code against this message alone, or 0. */
function refuse<S>(c: Connection<S>, view: PublishView, topic: Topic): number {
  const { settings } = c;
  if (topic.levels > settings.maxTopicLevels || topic.wire.length - 2 > settings.maxTopicLength) {
    return REASON.topicNameInvalid;
  }
  // nobody but the broker speaks for the broker
  if (topic.wire[2] === DOLLAR && /^\$SYS(\/|$)/.test(topic.name)) return REASON.notAuthorized;
  if (view.utf8Payload && !utf8Payload(view)) return REASON.payloadFormatInvalid;
  return c.effects.mayPublish(topic, view.qos, view.retain);
}

/** Unlike a string of the protocol a payload may hold U+0000. */
function utf8Payload(view: PublishView): boolean {
  const { buffer, payloadEnd } = view;
  let start = view.payloadStart;
  while (start < payloadEnd) {
    let end = buffer.indexOf(0, start);
    if (end === -1 || end > payloadEnd) end = payloadEnd;
    if (!validUtf8(buffer, start, end)) return false;
    start = end + 1;
  }
  return true;
}

function acknowledged<S>(c: Connection<S>, view: PublishView, topic: Topic, refusal: number): void {
  if (view.qos === 2 && known(c, view.packetId)) return;
  if (c.unfinishedInbound >= c.settings.receiveMaximum && c.version === 5) {
    c.fail(REASON.receiveMaximumExceeded, `Receive Maximum is ${c.settings.receiveMaximum}`); // [MQTT-3.3.4-7]
    return;
  }
  c.unfinishedInbound++;
  if (view.qos === 2) c.setInbound(view.packetId, INBOUND.pending);
  const slot = c.answers.add(view.qos === 1 ? 4 : 5, view.packetId);
  if (refusal === 0) {
    c.effects.publish(view, topic, slot);
    holdBack(c);
    return;
  }
  c.effects.dropped(reasonOf(refusal));
  // v3 can't be told no, so it is told yes [v3:MQTT-3.3.5-2]
  c.settle(slot, c.version === 5 ? refusal : REASON.success);
}

/**
 * v3 knows no Receive Maximum: the client is not read from while as many wait for their answer. One
 * whose PUBREC is sent does not count, or else its PUBREL would never be read.
 */
function holdBack<S>(c: Connection<S>): void {
  if (c.version === 5 || c.held || c.phase !== "open") return;
  if (c.answers.size < c.settings.receiveMaximum) return;
  c.held = true;
  c.effects.hold(true);
}

/** Whether a QoS 2 PUBLISH is a repetition; if so it has been dealt with. */
function known<S>(c: Connection<S>, packetId: number): boolean {
  const state = c.inbound.get(packetId);
  if (state === undefined) return false;
  // [MQTT-4.3.3-10]: acknowledged again, not given on again
  if (state !== INBOUND.pending) c.effects.ack(5, packetId, REASON.success);
  return true;
}

function reasonOf(refusal: number): "topic" | "not-authorized" | "payload-format" {
  if (refusal === REASON.topicNameInvalid) return "topic";
  return refusal === REASON.payloadFormatInvalid ? "payload-format" : "not-authorized";
}
