import { expect, test } from "vitest";
import { digest } from "../../src/checks/digest.ts";
import { wills } from "../../src/checks/wills.ts";
import { Story } from "./story.ts";

const of = ({ events }: Story): number => wills(digest(events)).length;
const withWill = (connection: number, delay = 0) => ({ will: { id: `m:${connection}`, delay } });
const begin = () => new Story().connected("watcher", 9).subscribed("watcher", 9, "w/#");
const came = (story: Story, connection: number) =>
  story.received("watcher", 9, "m", connection, { topic: "w/m" });

test("a lost connection leaves its will once", () => {
  const lost = () => begin().connected("m", 1, withWill(1)).closed("m", 1);
  expect(of(came(lost(), 1))).toBe(0);
  expect(of(lost())).toBe(1);
  expect(of(came(came(lost(), 1), 1))).toBe(1);
});

test("[MQTT-3.1.2-10] DISCONNECT removes it, unless it asks for it", () => {
  const left = (code: number) =>
    begin().connected("m", 1, withWill(1)).leaving("m", 1, code).closed("m", 1);
  expect(of(left(0))).toBe(0);
  expect(of(came(left(0), 1))).toBe(1);
  expect(of(came(left(4), 1))).toBe(0);
  expect(of(left(4))).toBe(1);
});

test("a gateway that is killed then may not have seen the DISCONNECT", () => {
  const story = begin().connected("m", 1, withWill(1)).leaving("m", 1);
  story.fault("g1", "begin").closed("m", 1).fault("g1", "end");
  expect(of(story)).toBe(0);
  expect(of(came(story, 1))).toBe(0);
  const other = begin().connected("m", 1, withWill(1)).leaving("m", 1).fault("g2", "begin");
  expect(of(came(other.closed("m", 1), 1))).toBe(1);
});

test("a will of a connection that is open, or of nobody, must not come", () => {
  expect(of(begin().connected("m", 1, withWill(1)))).toBe(0);
  expect(of(came(begin().connected("m", 1, withWill(1)), 1))).toBe(1);
  expect(of(came(begin(), 1))).toBe(1);
});

test("who comes back before the delay is over leaves none", () => {
  const back = () =>
    begin()
      .connected("m", 1, withWill(1, 60))
      .closed("m", 1)
      .connected("m", 2, { isPresent: true })
      .leaving("m", 2)
      .closed("m", 2);
  expect(of(back())).toBe(0);
  expect(of(came(back(), 1))).toBe(1);
});

test("who does not come back leaves one, after the delay", () => {
  const gone = () => begin().connected("m", 1, withWill(1, 1)).closed("m", 1);
  expect(of(gone())).toBe(1);
  expect(of(came(gone().wait(2000), 1))).toBe(0);
});

test("a CONNECT without an answer may have set one", () => {
  const tried = () => begin().tried("m", 1, withWill(1)).closed("m", 1);
  expect(of(tried())).toBe(0);
  expect(of(came(tried(), 1))).toBe(0);
  expect(of(came(came(tried(), 1), 1))).toBe(1);
});
