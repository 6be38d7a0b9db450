import { expect, test } from "vitest";
import { problems } from "../../src/checks/index.ts";
import { settled } from "../../src/history/settled.ts";
import { Story } from "./story.ts";

const whole = () =>
  new Story()
    .connected("p", 1)
    .connected("s", 2)
    .subscribed("s", 2, "f/#")
    .published("p", 1)
    .received("s", 2, "p", 1);

function continued(first: Story, next: (story: Story) => void): number {
  const story = new Story();
  story.events.push(...settled(first.events));
  story.wait(1000);
  next(story);
  return problems(story.events).size;
}

test("what is kept of a right history is right", () => {
  expect(continued(whole(), () => {})).toBe(0);
});

test("of what is settled a second delivery is found, and what is lost later too", () => {
  expect(continued(whole(), (story) => story.received("s", 2, "p", 1))).toBe(1);
  expect(continued(whole(), (story) => story.published("p", 2))).toBe(1);
  expect(continued(whole(), (s) => s.published("p", 2).received("s", 2, "p", 2))).toBe(0);
});

test("a subscription outlives the connection on which it was made", () => {
  const moved = whole().closed("s", 2).connected("s", 3, { isPresent: true });
  const once = settled(moved.events);
  const story = new Story();
  story.events.push(...settled(once));
  expect(problems(story.wait(1000).published("p", 2).events).size).toBe(1);
});

test("a retained value may not be older than one that was read before", () => {
  const value = { topic: "r/0", retain: true };
  const first = new Story().reading("a", 1, "begin").received("a", 1, "w", 7, value);
  const read = (seq: number) => (story: Story) =>
    story.reading("b", 2, "begin").received("b", 2, "w", seq, value).reading("b", 2, "end");
  expect(continued(first.reading("a", 1, "end"), read(7))).toBe(0);
  expect(continued(first, read(6))).toBe(1);
});
