import type { Records } from "@canopy/store";

/** For messages that are still needed when the memory that they came in is used again. */
export function copyRecords(records: Records): Records {
  const bytes = Buffer.from(records.bytes.subarray(0, records.length));
  return {
    bytes,
    length: records.length,
    count: records.count,
    starts: records.starts.slice(),
    ends: records.ends.slice(),
    topics: records.topics.slice(),
  };
}
