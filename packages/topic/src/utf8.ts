/**
 * The end of the well-formed multi-byte sequence of RFC 3629 that begins at `at`, or -1.
 * The limits on the second byte are what shuts out overlong forms, surrogates and all beyond
 * U+10FFFF.
 */
export function sequenceEnd(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number;
  let size = 2;
  let low = 0x80;
  let high = 0xbf;
  if (lead < 0xc2 || lead > 0xf4) return -1;
  if (lead >= 0xf0) {
    size = 4;
    if (lead === 0xf0) low = 0x90;
    else if (lead === 0xf4) high = 0x8f;
  } else if (lead >= 0xe0) {
    size = 3;
    if (lead === 0xe0) low = 0xa0;
    else if (lead === 0xed) high = 0x9f; // [MQTT-1.5.4-1] no surrogates
  }
  if (end - at < size) return -1;
  const second = bytes[at + 1] as number;
  if (second < low || second > high) return -1;
  for (let i = at + 2; i < at + size; i++) {
    if (((bytes[i] as number) & 0xc0) !== 0x80) return -1;
  }
  return at + size;
}

/**
 * Whether bytes[start, end) may be a UTF-8 Encoded String of MQTT. Control characters and
 * non-characters, which a sender SHOULD NOT use, are accepted.
 */
export function validUtf8(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): boolean {
  let i = start;
  while (i < end) {
    const byte = bytes[i] as number;
    if (byte < 0x80) {
      if (byte === 0) return false; // [MQTT-1.5.4-2]
      i++;
    } else {
      i = sequenceEnd(bytes, i, end); // [MQTT-1.5.4-1]
      if (i < 0) return false;
    }
  }
  return true;
}
