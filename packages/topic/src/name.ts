import { sequenceEnd } from "./utf8.ts";

/** What an MQTT string can hold, in bytes. */
export const MAX_STRING_BYTES = 65_535;

const PLUS = 0x2b;
const HASH = 0x23;

export type StringError = "empty" | "length" | "nul" | "surrogate";
export type TopicNameError = StringError | "wildcard";

/** The rules that names and filters share. */
export function topicStringError(text: string): StringError | undefined {
  if (text.length === 0) return "empty"; // [MQTT-4.7.3-1]
  if (text.includes("\0")) return "nul"; // [MQTT-4.7.3-2]
  if (!text.isWellFormed()) return "surrogate"; // [MQTT-1.5.4-1]
  // A UTF-16 unit is at most three bytes of UTF-8, so most need no counting.
  const long = text.length * 3 > MAX_STRING_BYTES && Buffer.byteLength(text) > MAX_STRING_BYTES;
  return long ? "length" : undefined; // [MQTT-4.7.3-3]
}

/** Why this is not a topic name; undefined when it is one. */
export function topicNameError(name: string): TopicNameError | undefined {
  if (name.includes("+") || name.includes("#")) return "wildcard"; // [MQTT-4.7.0-1]
  return topicStringError(name);
}

/** Whether bytes[start, end) are a topic name: the rules of topicNameError, without a string. */
export function validTopicBytes(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): boolean {
  // [MQTT-4.7.3-1] and [MQTT-4.7.3-3]
  if (end <= start || end - start > MAX_STRING_BYTES) return false;
  let i = start;
  while (i < end) {
    const byte = bytes[i] as number;
    if (byte < 0x80) {
      // [MQTT-4.7.3-2] and [MQTT-3.3.2-2]
      if (byte === 0 || byte === PLUS || byte === HASH) return false;
      i++;
    } else {
      i = sequenceEnd(bytes, i, end); // [MQTT-3.3.2-1]
      if (i < 0) return false;
    }
  }
  return true;
}

/** "a" has one level, "a/" and "/" have two. */
export function countLevels(text: string): number {
  let levels = 1;
  for (let at = text.indexOf("/"); at >= 0; at = text.indexOf("/", at + 1)) levels++;
  return levels;
}
