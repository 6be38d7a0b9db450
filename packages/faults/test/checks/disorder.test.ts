import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { disorder } from "../../src/checks/disorder.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): string[] => disorder(digest(events));
const q1 = { qos: 1 as const };
const begin = () =>
  new Story()
    .connected("p", 1)
    .connected("s", 2)
    .subscribed("s", 2, "f/#")
    .published("p", 1, q1)
    .published("p", 2, q1);

test("first deliveries come in the order of sending, later ones as they like", () => {
  expect(of(begin().received("s", 2, "p", 1, q1).received("s", 2, "p", 2, q1))).toEqual([]);
  const again = begin().received("s", 2, "p", 1, q1).received("s", 2, "p", 2, q1);
  expect(of(again.received("s", 2, "p", 1, q1))).toEqual([]);
});

test("a first delivery behind a later message is wrong, on whichever connection", () => {
  const story = begin().received("s", 2, "p", 2, q1).closed("s", 2).connected("s", 3);
  expect(of(story.received("s", 3, "p", 1, q1))).toEqual(["s got p:1 on f/1 after 2"]);
});

test("no order is promised between topics, nor to members of a group", () => {
  const other = begin().published("p", 1, { topic: "f/2" }).received("s", 2, "p", 2, q1);
  expect(of(other.received("s", 2, "p", 1, { topic: "f/2" }))).toEqual([]);
  const member = new Story()
    .connected("p", 1)
    .connected("m", 2)
    .subscribed("m", 2, "$share/g/f/#")
    .published("p", 1)
    .published("p", 2);
  expect(of(member.received("m", 2, "p", 2).received("m", 2, "p", 1))).toEqual([]);
});

test("who subscribes in the midst of a repetition gets its rest first", () => {
  const story = new Story().connected("p", 1).sent("p", 1, q1).sent("p", 2, q1);
  story.connected("s", 2).subscribed("s", 2, "f/#");
  story.sent("p", 1, { ...q1, dup: true }).sent("p", 2, { ...q1, dup: true });
  story.received("s", 2, "p", 2, q1).received("s", 2, "p", 1, q1);
  expect(of(story)).toEqual([]);
});
