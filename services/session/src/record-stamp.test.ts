import { expect, test } from "vitest";
import { stampRecord } from "./record-stamp.ts";

const record = Buffer.from("01ff" + "11".repeat(6) + "22".repeat(6) + "c0ffee", "hex");

test("a will is accepted when it is published and lives from then on", () => {
  const stamped = Buffer.from(stampRecord(record, 60, 1_800_000_000_123.7));
  expect(stamped.readUIntBE(2, 6)).toBe(1_800_000_000_123);
  expect(stamped.readUIntBE(8, 6)).toBe(1_800_000_060_123);
  expect(stamped.subarray(0, 2)).toEqual(record.subarray(0, 2));
  expect(stamped.subarray(14)).toEqual(record.subarray(14));
  expect(record.readUIntBE(2, 6)).toBe(0x111111111111);
});

test("a will without a Message Expiry Interval does not expire", () => {
  expect(Buffer.from(stampRecord(record, undefined, 5)).readUIntBE(8, 6)).toBe(0);
});

test("what is too short to be a record is refused", () => {
  expect(() => stampRecord(record.subarray(0, 13), 0, 0)).toThrow(RangeError);
});
