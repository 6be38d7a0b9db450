import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { twice } from "../../src/checks/twice.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): number => twice(digest(events)).length;
const begin = (qos: 1 | 2 = 2) =>
  new Story()
    .connected("p", 1)
    .connected("s", 2)
    .subscribed("s", 2, "f/#")
    .published("p", 1, { qos });
const again = { isPresent: true };

test("a QoS 2 delivery may be repeated, but not delivered again, also not on another connection", () => {
  const story = begin().received("s", 2, "p", 1);
  expect(of(story)).toBe(0);
  story.closed("s", 2).connected("s", 3, again);
  expect(of(story.received("s", 3, "p", 1, { dup: true, isRepeated: true }))).toBe(0);
  expect(of(story.received("s", 3, "p", 1))).toBe(1);
});

test("a repeated PUBLISH at QoS 2 is one message", () => {
  const story = begin().sent("p", 1, { dup: true }).received("s", 2, "p", 1);
  expect(of(story)).toBe(0);
  expect(of(story.received("s", 2, "p", 1))).toBe(1);
});

test("a QoS 2 message at QoS 1 comes once on a connection, and again on the next", () => {
  const story = begin().received("s", 2, "p", 1, { qos: 1 });
  story.closed("s", 2).connected("s", 3, again).received("s", 3, "p", 1, { qos: 1 });
  expect(of(story)).toBe(0);
  expect(of(story.received("s", 3, "p", 1, { qos: 1 }))).toBe(1);
});

test("a QoS 1 message comes on a connection as often as it was sent", () => {
  const story = begin(1).received("s", 2, "p", 1, { qos: 1 });
  expect(of(story)).toBe(0);
  story.received("s", 2, "p", 1, { qos: 1 });
  expect(of(story)).toBe(1);
  expect(
    of(
      begin(1)
        .sent("p", 1, { qos: 1, dup: true })
        .received("s", 2, "p", 1, { qos: 1 })
        .received("s", 2, "p", 1, { qos: 1 }),
    ),
  ).toBe(0);
});

test("what is settled comes again at QoS 1 only, and only on a new connection", () => {
  const story = () => new Story().connected("s", 2).subscribed("s", 2, "f/#").settled("p", 7);
  expect(of(story().received("s", 2, "p", 7))).toBe(1);
  expect(of(story().received("s", 2, "p", 7, { qos: 1 }))).toBe(1);
  const later = () => story().closed("s", 2).connected("s", 3, again);
  expect(of(later().received("s", 3, "p", 7, { qos: 1 }))).toBe(0);
  expect(of(later().received("s", 3, "p", 7))).toBe(1);
});
