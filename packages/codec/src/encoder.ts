import { putU16, putU32, putVarint, varintSize } from "./bytes.ts";
import { copyBytes } from "./copy.ts";
import type { Version } from "./packets.ts";
import type { RecordView } from "./record.ts";
import type { PublishForm } from "./views.ts";

const MESSAGE_EXPIRY = 0x02;
const SUBSCRIPTION_IDENTIFIER = 0x0b;
const TOPIC_ALIAS = 0x23;

/** Bytes of the properties of a PUBLISH without their length; only for v5. */
function propertiesSize(record: RecordView, form: PublishForm): number {
  return (
    record.propertiesEnd -
    record.propertiesStart +
    (form.expiry < 0 ? 0 : 5) +
    (form.alias === 0 ? 0 : 3) +
    (form.subscriptionIds === undefined ? 0 : form.subscriptionIds.length)
  );
}

function remainingLength(record: RecordView, form: PublishForm, properties: number): number {
  return (
    (form.omitTopic && form.alias !== 0 ? 2 : record.topicEnd - record.topicStart) +
    (form.qos === 0 ? 0 : 2) +
    (form.version === 5 ? varintSize(properties) + properties : 0) +
    (record.payloadEnd - record.payloadStart)
  );
}

/** Size of the whole packet that `writePublish` makes, to compare with a Maximum Packet Size. */
export function publishLength(record: RecordView, form: PublishForm): number {
  const properties = form.version === 5 ? propertiesSize(record, form) : 0;
  const remaining = remainingLength(record, form, properties);
  return 1 + varintSize(remaining) + remaining;
}

/** Where the packet identifier stands, counted from the packet's start; -1 at QoS 0. */
export function packetIdOffset(record: RecordView, form: PublishForm): number {
  if (form.qos === 0) return -1;
  const properties = form.version === 5 ? propertiesSize(record, form) : 0;
  const topic = form.omitTopic && form.alias !== 0 ? 2 : record.topicEnd - record.topicStart;
  return 1 + varintSize(remainingLength(record, form, properties)) + topic;
}

/** Writes the PUBLISH packet (3.3) of a record; returns its end. There must be room for it. */
export function writePublish(
  out: Buffer,
  at: number,
  record: RecordView,
  form: PublishForm,
  packetId: number,
): number {
  const qos = form.qos;
  const v5 = form.version === 5;
  const properties = v5 ? propertiesSize(record, form) : 0;
  out[at++] = 0x30 | (form.dup && qos > 0 ? 8 : 0) | (qos << 1) | (form.retain ? 1 : 0);
  at = putVarint(out, at, remainingLength(record, form, properties));
  const from = record.bytes;
  const asItStands = v5 && properties === record.propertiesEnd - record.propertiesStart;
  // Topic name, properties with their length, and payload follow each other in the record too.
  if (asItStands && qos === 0) {
    return copyBytes(from, record.topicStart, record.payloadEnd, out, at);
  }
  if (form.omitTopic && form.alias !== 0) {
    putU16(out, at, 0);
    at += 2;
  } else {
    at = copyBytes(from, record.topicStart, record.topicEnd, out, at);
  }
  if (qos !== 0) {
    putU16(out, at, packetId);
    at += 2;
  }
  if (asItStands) return copyBytes(from, record.topicEnd, record.payloadEnd, out, at);
  if (v5) at = writeProperties(out, at, record, form, properties);
  return copyBytes(from, record.payloadStart, record.payloadEnd, out, at);
}

function writeProperties(
  out: Buffer,
  at: number,
  record: RecordView,
  form: PublishForm,
  size: number,
): number {
  at = putVarint(out, at, size);
  if (form.expiry >= 0) {
    out[at] = MESSAGE_EXPIRY;
    putU32(out, at + 1, form.expiry);
    at += 5;
  }
  if (form.alias !== 0) {
    out[at] = TOPIC_ALIAS;
    putU16(out, at + 1, form.alias);
    at += 3;
  }
  const ids = form.subscriptionIds;
  if (ids !== undefined) at = copyBytes(ids, 0, ids.length, out, at);
  return copyBytes(record.bytes, record.propertiesStart, record.propertiesEnd, out, at);
}

/** Most bytes that `writeAck` writes. */
export const ACK_SIZE = 5;

/** Writes a PUBACK, PUBREC, PUBREL or PUBCOMP (3.4 – 3.7) without properties; returns its end. */
export function writeAck(
  out: Buffer,
  at: number,
  type: 4 | 5 | 6 | 7,
  version: Version,
  packetId: number,
  reasonCode: number,
): number {
  // The reason code may be left out where it is 0, and so it must in v3.
  const short = version !== 5 || reasonCode === 0;
  out[at] = (type << 4) | (type === 6 ? 2 : 0);
  out[at + 1] = short ? 2 : 3;
  putU16(out, at + 2, packetId);
  if (short) return at + 4;
  out[at + 4] = reasonCode;
  return at + 5;
}

/** Subscription Identifiers as the property bytes that a PublishForm takes. */
export function subscriptionIdBytes(ids: readonly number[]): Buffer {
  const out = Buffer.allocUnsafeSlow(ids.reduce((size, id) => size + 1 + varintSize(id), 0));
  let at = 0;
  for (const id of ids) {
    out[at] = SUBSCRIPTION_IDENTIFIER;
    at = putVarint(out, at + 1, id);
  }
  return out;
}
