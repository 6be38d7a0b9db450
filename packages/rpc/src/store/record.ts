/** What is read of a record of the codec, where nothing else has to be known of it (its record.ts has the layout). */
import { DecodeError } from "@canopy/base";
import type { Topic, TopicTable } from "@canopy/topic";

const VERSION = 1;
const FLAGS = 1;
const QOS_BITS = 3;
/** Of the publisher's client id, behind its two bytes of length. */
const CLIENT_ID = 16;

/** Whether anybody has to acknowledge the message. */
export function isAcknowledged(bytes: Uint8Array, start: number): boolean {
  return ((bytes[start + FLAGS] as number) & QOS_BITS) !== 0;
}

/**
 * The topic of the record in `bytes[start … end)`.
 * @throws DecodeError where there is none: so nobody else is given what can't be read.
 */
export function topicOf(topics: TopicTable, bytes: Uint8Array, start: number, end: number): Topic {
  const clientIdEnd = start + CLIENT_ID + u16(bytes, start + CLIENT_ID - 2);
  const topicStart = clientIdEnd + 2;
  // Only then all of it is there; beyond the end of the bytes are none.
  const topicEnd = topicStart + u16(bytes, clientIdEnd);
  if (!(topicEnd < end)) throw new DecodeError("a record is cut off");
  if (bytes[start] !== VERSION) throw new DecodeError(`a record of version ${bytes[start]}`);
  checkProperties(bytes, topicEnd, end);
  const topic = topics.intern(bytes, topicStart, topicEnd);
  if (topic === undefined) throw new DecodeError("a record without a valid topic");
  return topic;
}

function checkProperties(bytes: Uint8Array, start: number, end: number): void {
  let at = start;
  let length = bytes[at++] as number;
  if (length > 127) {
    length &= 127;
    for (let shift = 7, byte = 128; byte > 127; shift += 7) {
      if (at >= end || shift > 21) throw new DecodeError("a record is cut off");
      byte = bytes[at++] as number;
      length |= (byte & 127) << shift;
    }
  }
  if (at + length > end) throw new DecodeError("a record is cut off");
}

/** NaN beyond the end. */
function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) * 256 + (bytes[at + 1] as number);
}
