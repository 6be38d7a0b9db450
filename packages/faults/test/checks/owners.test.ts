import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { owners } from "../../src/checks/owners.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): number => owners(digest(events)).length;
const q1 = { qos: 1 as const };

test("what was sent before the other CONNACK may be acknowledged behind it", () => {
  const story = new Story().connected("c", 1).sent("c", 1, q1).connected("c", 2);
  expect(of(story.acknowledged("c", 1, q1).closed("c", 1))).toBe(0);
});

test("what is sent on a connection that was taken over must not be acknowledged", () => {
  const story = new Story().connected("c", 1).connected("c", 2).sent("c", 1, q1);
  expect(of(story.closed("c", 1))).toBe(0);
  const bad = new Story().connected("c", 1).connected("c", 2).sent("c", 1, q1);
  expect(of(bad.acknowledged("c", 1, q1).closed("c", 1))).toBe(1);
});

test("a refusal is no acknowledgement", () => {
  const story = new Story().connected("c", 1).connected("c", 2).sent("c", 1, q1);
  expect(of(story.acknowledged("c", 1, { ...q1, code: 0x97 }).closed("c", 1))).toBe(0);
});

test("in the end one connection is open", () => {
  expect(of(new Story().connected("c", 1).connected("c", 2))).toBe(1);
  expect(of(new Story().connected("c", 1).tried("c", 2))).toBe(0);
});
