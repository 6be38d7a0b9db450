/** The two times in a message record (codec, record.ts), both 48 bits of milliseconds since 1970. */
const ACCEPTED_AT = 2;
const EXPIRES_AT = 8;
const TIME_BYTES = 6;
const SHORTEST = EXPIRES_AT + TIME_BYTES;

/**
 * A copy of the record as if it had been accepted now. A will's Message Expiry Interval is the
 * lifetime from its publication on (MQTT 5 section 3.1.3.2.4); undefined = it does not expire.
 */
export function stampRecord(
  record: Uint8Array,
  expirySeconds: number | undefined,
  wallNow: number,
): Uint8Array {
  if (record.length < SHORTEST) throw new RangeError("not a message record");
  const now = Math.floor(wallNow);
  const stamped = Buffer.from(record);
  stamped.writeUIntBE(now, ACCEPTED_AT, TIME_BYTES);
  const expiresAt = expirySeconds === undefined ? 0 : now + expirySeconds * 1000;
  stamped.writeUIntBE(expiresAt, EXPIRES_AT, TIME_BYTES);
  return stamped;
}
