import { expect, test } from "vitest";
import { blankPayload, microseconds, STAMP_SIZE, Stamp, writeStamp } from "./stamp.ts";

const SIZE = 64;
const RUN = 0xdead_beef;

function stamped(): Buffer {
  const payload = blankPayload(SIZE);
  writeStamp(payload, 0, RUN, 7, 4_000_000_000, 3_999_999_999);
  return payload;
}

test("what was written is read", () => {
  const stamp = new Stamp();
  expect(stamp.read(stamped(), 0, SIZE, RUN, SIZE)).toBe(true);
  expect(stamp).toMatchObject({
    publisher: 7,
    sequence: 4_000_000_000,
    time: 3_999_999_999,
  });
});

test("any changed byte of the stamp is seen", () => {
  const stamp = new Stamp();
  for (let at = 0; at < STAMP_SIZE; at++) {
    const payload = stamped();
    payload[at] = (payload[at] ?? 0) ^ 1;
    expect(stamp.read(payload, 0, SIZE, RUN, SIZE)).toBe(false);
  }
});

test("another run, another size and a damaged end are seen", () => {
  const stamp = new Stamp();
  expect(stamp.read(stamped(), 0, SIZE, RUN + 1, SIZE)).toBe(false);
  expect(stamp.read(stamped(), 0, SIZE - 1, RUN, SIZE)).toBe(false);
  const payload = stamped();
  payload[SIZE - 1] = 0;
  expect(stamp.read(payload, 0, SIZE, RUN, SIZE)).toBe(false);
});

test("time goes forward by microseconds", async () => {
  const before = microseconds();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const passed = (microseconds() - before) >>> 0;
  expect(passed).toBeGreaterThan(15_000);
  expect(passed).toBeLessThan(5_000_000);
});
