import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { retained } from "../../src/checks/retained.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): number => retained(digest(events)).length;
const topic = "r/0";
const written = (seq: number, story = new Story()) =>
  story.published("w", seq, { topic, retain: true });
const value = { topic, retain: true };

test("a reader gets the last acknowledged value, or a later one", () => {
  const read = (seq: number) =>
    written(5).connected("a", 2).reading("a", 2, "begin").received("a", 2, "w", seq, value);
  expect(of(read(5).reading("a", 2, "end"))).toBe(0);
  expect(of(read(6).reading("a", 2, "end"))).toBe(0);
  expect(of(read(4).reading("a", 2, "end"))).toBe(1);
});

test("a reader gets no value older than one that was read before, acknowledged or not", () => {
  const story = new Story().reading("a", 1, "begin").received("a", 1, "w", 7, value);
  story.reading("a", 1, "end").reading("b", 2, "begin").received("b", 2, "w", 6, value);
  expect(of(story.reading("b", 2, "end"))).toBe(1);
});

test("two readers at the same time may get different values", () => {
  const story = new Story().reading("a", 1, "begin").reading("b", 2, "begin");
  story.received("a", 1, "w", 7, value).received("b", 2, "w", 6, value);
  expect(of(story)).toBe(0);
});

test("a reader gets a value, and one retained one", () => {
  const begun = () => written(5).reading("a", 2, "begin");
  expect(of(begun())).toBe(0);
  expect(of(begun().reading("a", 2, "end"))).toBe(1);
  const twice = begun().received("a", 2, "w", 5, value).received("a", 2, "w", 5, value);
  expect(of(twice)).toBe(1);
});

test("no older value comes behind a newer one", () => {
  const story = written(5).reading("a", 2, "begin").received("a", 2, "w", 6, { topic });
  expect(of(story.received("a", 2, "w", 5, value))).toBe(1);
});
