import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { lost } from "../../src/checks/lost.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): string[] => lost(digest(events));
const begin = () => new Story().connected("p", 1).connected("s", 2).subscribed("s", 2, "f/#");

test("what is acknowledged and received is not lost", () => {
  expect(of(begin().published("p", 1).received("s", 2, "p", 1))).toEqual([]);
});

test("a durable subscriber has to get what was acknowledged while it was away", () => {
  const story = begin().closed("s", 2).published("p", 1).connected("s", 3, { isPresent: true });
  expect(of(story)).toEqual(["s misses p:1 on f/1"]);
  expect(of(story.received("s", 3, "p", 1))).toEqual([]);
});

test("what was not acknowledged, refused or sent before the SUBACK may be missing", () => {
  const early = new Story().connected("p", 1).published("p", 1).connected("s", 2);
  expect(of(early.subscribed("s", 2, "f/#").sent("p", 2))).toEqual([]);
  expect(of(begin().sent("p", 1).acknowledged("p", 1, { code: 0x97 }))).toEqual([]);
  expect(of(begin().published("p", 1, { topic: "other" }))).toEqual([]);
});

test("a PUBLISH sent before the SUBACK, and again after it, may be missing", () => {
  const story = new Story().connected("p", 1).sent("p", 1).connected("s", 2);
  expect(of(story.subscribed("s", 2, "f/#").published("p", 1, { dup: true }))).toEqual([]);
});

const transient = () =>
  new Story().connected("p", 1).connected("t", 2, { isDurable: false }).subscribed("t", 2, "f/#");

test("a transient subscriber has to get what is acknowledged while it is connected", () => {
  expect(of(transient().published("p", 1))).toEqual(["t on connection 2 misses p:1 on f/1"]);
  expect(of(transient().published("p", 1).received("t", 2, "p", 1))).toEqual([]);
});

test("a transient subscriber loses the end of what was sent when its connection broke, but no part", () => {
  const broken = () => transient().published("p", 1).published("p", 2);
  expect(of(broken().received("t", 2, "p", 1).closed("t", 2))).toEqual([]);
  expect(of(broken().received("t", 2, "p", 2).closed("t", 2))).toEqual([
    "t on connection 2 misses p:1 on f/1",
  ]);
});
